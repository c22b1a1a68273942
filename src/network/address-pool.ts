import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { addressNumber, formatAddress, type Subnet, sizeOf } from "./subnet.ts";

/** Network, gateway and broadcast. */
const reservedLow = 2;
const reservedHigh = 1;

/**
 * Which pod has which address: one file an address, named after it, holding the sandbox's id.
 *
 * - A file is made exclusively, so an address is never handed out twice, whatever crashes when.
 * - Addresses go round: one that was freed comes back only after all others, and only once `inUse` says that nothing
 *   of its last pod is left.
 */
export class AddressPool {
  readonly #dir: string;
  readonly #subnet: Subnet;
  readonly #inUse: (address: string) => boolean;
  readonly #bySandbox = new Map<string, string>();
  readonly #taken = new Set<string>();
  #next = reservedLow;

  private constructor(dir: string, subnet: Subnet, inUse: (address: string) => boolean) {
    this.#dir = dir;
    this.#subnet = subnet;
    this.#inUse = inUse;
  }

  static async open(dir: string, subnet: Subnet, inUse: (address: string) => boolean): Promise<AddressPool> {
    const pool = new AddressPool(dir, subnet, inUse);
    await mkdir(dir, { recursive: true, mode: 0o700 });
    let latestMs = 0;
    for (const address of await readdir(dir)) {
      const path = join(dir, address);
      const [sandboxId, info] = await Promise.all([readFile(path, "utf8"), stat(path)]);
      // A crash between making and filling the file leaves it empty: nobody's.
      if (!sandboxId) {
        await rm(path, { force: true });
        continue;
      }
      pool.#bySandbox.set(sandboxId, address);
      pool.#taken.add(address);
      const offset = addressNumber(address) - subnet.base;
      if (info.mtimeMs > latestMs && offset > 0 && offset < sizeOf(subnet)) {
        latestMs = info.mtimeMs;
        pool.#next = offset + 1;
      }
    }
    return pool;
  }

  get sandboxIds(): string[] {
    return [...this.#bySandbox.keys()];
  }

  addressOf(sandboxId: string): string | undefined {
    return this.#bySandbox.get(sandboxId);
  }

  /** The sandbox's address; the same one when asked again. `undefined` when all are taken. */
  async take(sandboxId: string): Promise<string | undefined> {
    const known = this.#bySandbox.get(sandboxId);
    if (known) return known;
    const address = this.#choose();
    if (!address) return undefined;
    this.#taken.add(address);
    this.#bySandbox.set(sandboxId, address);
    try {
      await writeFile(join(this.#dir, address), sandboxId, { flag: "wx", mode: 0o600 });
      return address;
    } catch (error) {
      this.#taken.delete(address);
      this.#bySandbox.delete(sandboxId);
      throw error;
    }
  }

  async free(sandboxId: string): Promise<void> {
    const address = this.#bySandbox.get(sandboxId);
    if (!address) return;
    this.#bySandbox.delete(sandboxId);
    await rm(join(this.#dir, address), { force: true });
    this.#taken.delete(address);
  }

  #choose(): string | undefined {
    const end = sizeOf(this.#subnet) - reservedHigh;
    const count = end - reservedLow;
    for (let tried = 0; tried < count; tried++) {
      if (this.#next < reservedLow || this.#next >= end) this.#next = reservedLow;
      const address = formatAddress(this.#subnet.base + this.#next++);
      if (!this.#taken.has(address) && !this.#inUse(address)) return address;
    }
    return undefined;
  }
}
