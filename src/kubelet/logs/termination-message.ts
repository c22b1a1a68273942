import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import type { ContainerStatus } from "../../runtime/index.ts";
import { terminationMessageSource } from "../container/labels.ts";
import type { TerminationMessages } from "../worker/services.ts";
import { readLog } from "./read-log.ts";

/** As upstream's limits of a termination message. */
const messageBytesMax = 4_096;
const logMessageBytesMax = 2_048;
const logMessageLinesMax = 80;

/** Reads each ended container's message once. */
export class TerminationMessageReader implements TerminationMessages {
  readonly #read = new Map<string, Promise<string | undefined>>();

  async of(status: ContainerStatus): Promise<string | undefined> {
    if (status.state !== "exited") return status.message;
    let message = this.#read.get(status.id);
    if (!message) {
      message = explain(status);
      this.#read.set(status.id, message);
    }
    return message;
  }

  forget(containerId: string): void {
    this.#read.delete(containerId);
  }
}

async function explain(status: ContainerStatus): Promise<string | undefined> {
  const { hostPath, fallbackToLogs } = terminationMessageSource(status);
  let own = hostPath === undefined ? "" : fileEnd(hostPath);
  if (own === "" && fallbackToLogs) own = await logEnd(status.logPath);
  const parts = [status.message, own].filter((part) => part);
  return parts.length > 0 ? parts.join(": ") : undefined;
}

/** Read at once: a restart waits for it, and the way to another thread and back takes longer than each of these calls. */
function fileEnd(path: string): string {
  try {
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { size } = fstatSync(file);
      const buffer = Buffer.alloc(Math.min(size, messageBytesMax));
      return buffer.toString("utf8", 0, readSync(file, buffer, 0, buffer.length, size - buffer.length));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    return `Error on reading termination log ${path}: ${String(error)}`;
  }
}

async function logEnd(path: string): Promise<string> {
  const options = { follow: false, timestamps: false, stream: "All", tailLines: logMessageLinesMax } as const;
  let end: Buffer = Buffer.alloc(0);
  try {
    for await (const block of readLog(
      { path, ended: Promise.resolve() },
      options,
      new AbortController().signal,
    )) {
      const all = Buffer.concat([end, block]);
      end = all.subarray(Math.max(0, all.length - logMessageBytesMax));
    }
  } catch (error) {
    return `Error on reading termination message from logs: ${String(error)}`;
  }
  return end.toString("utf8");
}
