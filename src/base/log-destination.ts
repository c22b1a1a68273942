import { writeSync } from "node:fs";

/** Past so many bytes that wait, newer lines are lost. */
const waitingBytesMax = 64 * 2 ** 10;
const retryMs = 250;

/**
 * Writes lines to a descriptor, at once. What a full disk or a slow reader does not take waits, and ends nothing and
 * holds nothing up, as with klog; it is written, in order, when there is room again. (pino's own destination ends the
 * process, or blocks it.)
 */
export class LogDestination {
  readonly #fd: number;
  #waiting: Buffer = Buffer.alloc(0);

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(line: string): void {
    if (this.#waiting.length === 0) this.#writeOut(Buffer.from(line));
    else if (this.#waiting.length < waitingBytesMax) {
      this.#waiting = Buffer.concat([this.#waiting, Buffer.from(line)]);
    }
  }

  #writeOut(bytes: Buffer): void {
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#fd, bytes, written);
    } catch {
      setTimeout(() => this.#writeOut(this.#waiting), retryMs).unref();
    }
    this.#waiting = bytes.subarray(written);
  }
}
