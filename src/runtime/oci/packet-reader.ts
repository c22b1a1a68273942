import type { Syscalls } from "../linux/syscalls.ts";

/** Packets of conmon's are 8 KiB and their first byte. */
const packetBytesMax = 32 * 1024 + 1;
const bufferBytes = 512 * 1024;
/** Of one turn: other clients are waiting, too. */
const turnBytesMax = 1024 * 1024;

/**
 * Reads the packets that wait in conmon's attach socket, and hands their content on in as few pieces as there are
 * changes of stream: a packet is read to where the one before ends, and its first byte, which says what it is, gives
 * way to the last one of that.
 */
export class PacketReader {
  readonly #syscalls: Syscalls;
  readonly #fd: number;
  readonly #hand: (kind: number, data: Buffer) => void;
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(syscalls: Syscalls, fd: number, hand: (kind: number, data: Buffer) => void) {
    this.#syscalls = syscalls;
    this.#fd = fd;
    this.#hand = hand;
  }

  /** Until nothing is there for now; the end is for the event loop to find. */
  readAll(): void {
    let kind = 0;
    let start = this.#at;
    const flush = () => {
      if (this.#at > start) this.#hand(kind, this.#buffer.subarray(start, this.#at));
      start = this.#at;
    };
    for (let turnBytes = 0; turnBytes < turnBytesMax; ) {
      if (this.#buffer.length - this.#at < packetBytesMax) {
        flush();
        this.#buffer = Buffer.allocUnsafe(bufferBytes);
        // Room for the first byte of the first packet.
        this.#at = 1;
        start = 1;
      }
      const before = this.#buffer[this.#at - 1]!;
      const into = this.#buffer.subarray(this.#at - 1);
      const bytes = this.#syscalls.receive(this.#fd, into);
      if (bytes <= 0) break;
      const packetKind = into[0]!;
      into[0] = before;
      if (packetKind !== kind) flush();
      kind = packetKind;
      this.#at += bytes - 1;
      turnBytes += bytes;
    }
    flush();
  }
}
