import { closeSync } from "node:fs";
import { constants } from "node:os";
import type { Syscalls } from "../../runtime/index.ts";
import { batch, parseResults } from "./message.ts";

const afNetlink = 16;
const sockRaw = 3;
const closeOnExec = 0o2000000;
const nonBlocking = 0o4000;
const netlinkRoute = 0;
/** An acknowledgement is 36 bytes; with the message it repeats, some hundreds. */
const replyBytesMax = 32 * 1024;

/** What rtnetlink refused: `code` is the errno's name, `index` the message's place in the batch. */
export class NetlinkError extends Error {
  override name = "NetlinkError";
  readonly code: string;
  readonly index: number;
  constructor(code: string, index: number) {
    super(`netlink message ${index}: ${code}`);
    this.code = code;
    this.index = index;
  }
}

const errnoNames = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));

/** A socket of the network namespace that this thread is in now. */
export function openNetlink(syscalls: Syscalls): number {
  return syscalls.socket(afNetlink, sockRaw | closeOnExec | nonBlocking, netlinkRoute);
}

/**
 * Has the kernel carry out `messages` in order, in the namespace of the socket `fd`, which is closed after it.
 * The kernel works inside the send, on another thread; all its answers are there afterwards. Throws the first failure;
 * later messages were tried all the same.
 */
export async function transact(syscalls: Syscalls, fd: number, messages: readonly Buffer[]): Promise<void> {
  try {
    const bytes = batch(messages);
    const sent = await syscalls.sendAsync(fd, bytes);
    if (sent !== bytes.length) throw new NetlinkError(`sent ${sent} of ${bytes.length} bytes`, 0);
    const results = new Map<number, number>();
    const reply = Buffer.alloc(replyBytesMax);
    while (results.size < messages.length) {
      const read = syscalls.receive(fd, reply);
      if (read === 0) break;
      for (const [sequence, errno] of parseResults(reply.subarray(0, read))) results.set(sequence, errno);
    }
    for (let index = 0; index < messages.length; index++) {
      const errno = results.get(index + 1);
      if (errno === undefined) throw new NetlinkError("no answer", index);
      if (errno !== 0) throw new NetlinkError(errnoNames.get(errno) ?? `errno ${errno}`, index);
    }
  } finally {
    closeSync(fd);
  }
}
