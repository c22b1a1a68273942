/*
 * Amounts of a resource: `500m`, `1Gi`, `2e3`. Exact, down to a billionth, as `k8s.io/apimachinery/pkg/api/resource`.
 */

/** How an amount was written, and so how it is written back. */
type Format = "decimalSI" | "binarySI" | "decimalExponent";

const nanosPerUnit = 1_000_000_000n;
/** Upstream caps amounts with binary suffixes at the largest int64. */
const nanosMax = (2n ** 63n - 1n) * nanosPerUnit;

export const quantityPattern = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$";
const shape = /^([+-]?)([0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/;
const numeric = /^(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))$/;

/** Powers of ten, from nano. */
const decimalSuffixes = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
/** Powers of 1024. */
const binarySuffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/** The text is not a quantity; the message is upstream's. */
export class QuantityError extends Error {
  override name = "QuantityError";
}

/** An exact amount. Immutable. */
export class Quantity {
  readonly #nanos: bigint;
  readonly #format: Format;

  private constructor(nanos: bigint, format: Format) {
    this.#nanos = nanos;
    this.#format = format;
  }

  static parse(text: string): Quantity {
    const match = shape.exec(text);
    if (!match) throw new QuantityError(`quantities must match the regular expression '${quantityPattern}'`);
    const [, sign, digits, suffix] = match;
    const number = numeric.exec(digits!);
    if (!number) throw new QuantityError("unable to parse numeric part of quantity");
    const whole = number[1] ?? "";
    const fraction = number[2] ?? number[3] ?? "";
    const scale = scaleOf(suffix!);
    if (!scale) throw new QuantityError("unable to parse quantity's suffix");
    // The amount is numerator / 10^denominatorDigits, in units of a billionth.
    const numerator =
      BigInt(whole + fraction) * scale.factor * 10n ** BigInt(Math.max(scale.exponent + 9, 0));
    const denominator = 10n ** BigInt(fraction.length + Math.max(-(scale.exponent + 9), 0));
    // Less than a billionth is rounded away from zero: who asks for something gets something.
    const nanos = (numerator + denominator - 1n) / denominator;
    const capped = scale.format === "binarySI" && nanos > nanosMax ? nanosMax : nanos;
    return new Quantity(sign === "-" ? -capped : capped, scale.format);
  }

  /** Of a whole number of thousandths, written as decimal. */
  static ofMilli(milli: number): Quantity {
    return new Quantity(BigInt(Math.ceil(milli)) * 1_000_000n, "decimalSI");
  }

  /** Of a whole number; `binarySI` for bytes. */
  static of(value: number, format: Format = "decimalSI"): Quantity {
    return new Quantity(BigInt(Math.ceil(value)) * nanosPerUnit, format);
  }

  get sign(): -1 | 0 | 1 {
    return this.#nanos < 0n ? -1 : this.#nanos > 0n ? 1 : 0;
  }

  /** Negative, zero or positive, as for `sort`. */
  compare(other: Quantity): number {
    return this.#nanos < other.#nanos ? -1 : this.#nanos > other.#nanos ? 1 : 0;
  }

  /** The sum, in this one's format; zero takes the other's. */
  add(other: Quantity): Quantity {
    return new Quantity(this.#nanos + other.#nanos, this.#nanos === 0n ? other.#format : this.#format);
  }

  sub(other: Quantity): Quantity {
    return new Quantity(this.#nanos - other.#nanos, this.#nanos === 0n ? other.#format : this.#format);
  }

  /** Rounded up to a whole number. */
  value(): number {
    return Number(ceilDivide(this.#nanos, nanosPerUnit));
  }

  /** In thousandths, rounded up. */
  milliValue(): number {
    return Number(ceilDivide(this.#nanos, 1_000_000n));
  }

  /** The canonical form: no fraction, the largest suffix that loses nothing. */
  toString(): string {
    const nanos = this.#nanos;
    if (nanos === 0n) return "0";
    const units = nanos / nanosPerUnit;
    const isWhole = nanos % nanosPerUnit === 0n;
    if (this.#format === "binarySI" && isWhole && (units >= 1024n || units <= -1024n)) {
      const [mantissa, power] = strip(units, 1024n, binarySuffixes.length - 1);
      return `${mantissa}${binarySuffixes[power]}`;
    }
    const [mantissa, power] = strip(nanos, 1000n, decimalSuffixes.length - 1);
    if (this.#format !== "decimalExponent") return `${mantissa}${decimalSuffixes[power]}`;
    const exponent = power * 3 - 9;
    return exponent === 0 ? `${mantissa}` : `${mantissa}e${exponent}`;
  }

  toJSON(): string {
    return this.toString();
  }
}

export const parseQuantity = (text: string): Quantity => Quantity.parse(text);

/** The canonical form of a quantity's text. Few distinct ones are in use, so they are kept. */
export function canonicalQuantity(text: string): string {
  const known = canonical.get(text);
  if (known !== undefined) return known;
  const made = Quantity.parse(text).toString();
  if (canonical.size >= canonicalKeptMax) canonical.clear();
  canonical.set(text, made);
  return made;
}
const canonical = new Map<string, string>();
/** Enough for every quantity of a cluster's manifests; a client that sends random ones costs no more than this. */
const canonicalKeptMax = 1_024;

/** An exponent past this is far over the cap, or under a billionth; it must not make a number of a million digits. */
const exponentMax = 64;

function scaleOf(suffix: string): { factor: bigint; exponent: number; format: Format } | undefined {
  const binary = suffix === "" ? -1 : binarySuffixes.indexOf(suffix);
  if (binary >= 0) return { factor: 1024n ** BigInt(binary), exponent: 0, format: "binarySI" };
  const decimal = decimalSuffixes.indexOf(suffix);
  if (decimal >= 0) return { factor: 1n, exponent: decimal * 3 - 9, format: "decimalSI" };
  const exponent = /^[eE]([+-]?[0-9]+)$/.exec(suffix);
  if (!exponent) return undefined;
  const power = Math.min(Math.max(Number(exponent[1]), -exponentMax), exponentMax);
  return { factor: 1n, exponent: power, format: "decimalExponent" };
}

/** Divides by `base` as often as nothing is lost, at most `powerMax` times. */
function strip(value: bigint, base: bigint, powerMax: number): [bigint, number] {
  let mantissa = value;
  let power = 0;
  while (power < powerMax && mantissa % base === 0n) {
    mantissa /= base;
    power++;
  }
  return [mantissa, power];
}

function ceilDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value > 0n && value % by !== 0n
    ? quotient + 1n
    : value < 0n && value % by !== 0n
      ? quotient - 1n
      : quotient;
}
