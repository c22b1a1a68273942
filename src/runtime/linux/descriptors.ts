import { closeSync, readSync } from "node:fs";
import { Socket } from "node:net";
import type { Syscalls } from "./syscalls.ts";

const afUnix = 1;
const afInet = 2;
const afInet6 = 10;
const sockStream = 1;
const sockSeqPacket = 5;
const sockNonBlock = 0o4000;
const closeOnExec = 0o2000000;

/**
 * Gives Node's event loop a descriptor of a kind that it does not know (a terminal's master, a SOCK_SEQPACKET
 * socket). Node is shown a unix stream socket, which is replaced by the descriptor before the loop looks at it: all
 * that libuv does with it is epoll, read and write, and these work on both. `fd` is taken over.
 */
function adoptDescriptor(
  syscalls: Syscalls,
  fd: number,
  Stream: typeof Socket = Socket,
): { socket: Socket; fd: number } {
  const [shown, other] = syscalls.socketPair(afUnix, sockStream | closeOnExec);
  const socket = new Stream({ fd: shown, readable: true, writable: true, allowHalfOpen: true });
  syscalls.dup2(fd, shown);
  closeSync(other);
  closeSync(fd);
  // The flags belong to the file, not to the number, so what libuv had set is gone.
  syscalls.setNonBlocking(shown);
  return { socket, fd: shown };
}

/** A terminal's master, taken over. Its stream ends, after all that was said, when nobody holds the other side. */
export function adoptTerminal(syscalls: Syscalls, fd: number): { socket: Socket; fd: number } {
  const adopted = adoptDescriptor(syscalls, fd, TerminalMaster);
  const master = adopted.socket as TerminalMaster;
  master.fd = adopted.fd;
  master.once("end", () => master.destroy());
  return adopted;
}

/** What the kernel may hold of a terminal whose other side is closed. */
const terminalBytesMax = 2 ** 20;

/**
 * When the other side of a terminal is closed, its master reads what is left of it, 4 KiB at a time, and then fails
 * with EIO. libuv knows neither: it takes a read that gives less than was asked for, of a file that is hung up, for
 * the last one; and an error takes what nobody has read yet with it.
 */
class TerminalMaster extends Socket {
  fd = -1;

  override push(chunk: Buffer | null, encoding?: BufferEncoding): boolean {
    if (chunk === null) this.#pushRest();
    return super.push(chunk, encoding);
  }

  override destroy(error?: NodeJS.ErrnoException): this {
    if (error?.code !== "EIO") return super.destroy(error);
    if (error.syscall === "read") this.push(null);
    return this;
  }

  #pushRest(): void {
    const buffer = Buffer.alloc(64 * 2 ** 10);
    try {
      for (let total = 0; total < terminalBytesMax; ) {
        const bytes = readSync(this.fd, buffer);
        if (bytes === 0) return;
        super.push(Buffer.from(buffer.subarray(0, bytes)));
        total += bytes;
      }
    } catch {
      // EIO: that was all.
    }
  }
}

/** A connected SOCK_SEQPACKET socket: each read gives one packet. */
export function connectSeqPacket(syscalls: Syscalls, path: string): { socket: Socket; fd: number } {
  const fd = syscalls.socket(afUnix, sockSeqPacket | closeOnExec | sockNonBlock, 0);
  try {
    syscalls.connect(fd, unixAddress(path));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return adoptDescriptor(syscalls, fd);
}

/** A listening unix stream socket. */
export function listenUnix(syscalls: Syscalls, path: string): number {
  const fd = syscalls.socket(afUnix, sockStream | closeOnExec, 0);
  try {
    syscalls.bind(fd, unixAddress(path));
    syscalls.listen(fd, 1);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** A TCP socket of the network namespace this thread is in, not yet connected. */
export function tcpDescriptor(syscalls: Syscalls, family: 4 | 6): number {
  return syscalls.socket(family === 4 ? afInet : afInet6, sockStream | closeOnExec | sockNonBlock, 0);
}

/** sun_path and its end. */
export const unixPathBytesMax = 107;

function unixAddress(path: string): Buffer {
  const bytes = Buffer.from(path);
  if (bytes.length > unixPathBytesMax)
    throw new Error(`socket path is longer than ${unixPathBytesMax} bytes: ${path}`);
  const address = Buffer.alloc(2 + bytes.length + 1);
  address.writeUInt16LE(afUnix, 0);
  bytes.copy(address, 2);
  return address;
}
