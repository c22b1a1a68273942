import { randomBytes, randomUUID } from "node:crypto";

/** Randomness as a parameter, so that a test can seed it. */
export interface Random {
  /** A version 4 UUID, as an object's uid. */
  uuid(): string;
  /** `length` characters for a generated name. */
  nameSuffix(length: number): string;
  /** Uniform in [0, 1). */
  fraction(): number;
}

/** Vowels, 0, 1 and 3 are left out, so that no words appear. As apimachinery's `util/rand`. */
const nameAlphabet = "bcdfghjklmnpqrstvwxz2456789";

function suffixFrom(length: number, byte: () => number): string {
  let out = "";
  while (out.length < length) {
    const value = byte();
    // 243 = 9 × 27: a larger byte would favour the first letters.
    if (value < 243) out += nameAlphabet[value % nameAlphabet.length];
  }
  return out;
}

/** The machine's randomness. */
export class SystemRandom implements Random {
  uuid(): string {
    return randomUUID();
  }

  nameSuffix(length: number): string {
    let pool = randomBytes(length * 2);
    let next = 0;
    return suffixFrom(length, () => {
      if (next === pool.length) {
        pool = randomBytes(length * 2);
        next = 0;
      }
      return pool[next++]!;
    });
  }

  fraction(): number {
    return randomBytes(4).readUInt32LE() / 2 ** 32;
  }
}

/** The same sequence for the same seed (mulberry32). */
export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  nameSuffix(length: number): string {
    return suffixFrom(length, () => Math.floor(this.fraction() * 256));
  }

  uuid(): string {
    const hex = Array.from({ length: 32 }, () => Math.floor(this.fraction() * 16).toString(16)).join("");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
  }
}
