import { once } from "node:events";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { RuntimeError, type RuntimeStreams } from "../contract.ts";
import { connectSeqPacket, unixPathBytesMax } from "../linux/descriptors.ts";
import type { EngineContext } from "./context.ts";
import { PacketReader } from "./packet-reader.ts";
import type { ContainerRecord } from "./records.ts";

/** conmon's control fifo takes lines of three numbers; these are the first. */
const controlResize = 1;
const controlReopenLog = 2;
/** First byte of a packet from conmon. */
const packetStdout = 2;
const packetStderr = 3;
/** conmon's buffer for standard input is larger, but a packet that is cut is lost. */
const stdinPacketBytesMax = 8 * 1024;

/**
 * Joins the streams of the container's first process until it ends, or the signal; and until the client's input ends,
 * where the container's own stays open for the next. As CRI-O's `attachContainerSocket`.
 */
export async function attachContainer(
  context: EngineContext,
  record: ContainerRecord,
  options: { tty: boolean },
  streams: RuntimeStreams,
  signal: AbortSignal,
): Promise<void> {
  const { syscalls } = context.host;
  if (!syscalls) {
    throw new RuntimeError("Unsupported", "attach needs koffi, which has no build for this machine");
  }
  const folder = await open(context.layout.bundle(record.id), constants.O_RDONLY);
  try {
    // The path of a bundle may be longer than a socket's address takes.
    const long = join(context.layout.bundle(record.id), "attach");
    const path = Buffer.byteLength(long) <= unixPathBytesMax ? long : `/proc/self/fd/${folder.fd}/attach`;
    const { socket, fd } = connectSeqPacket(syscalls, path);
    const stop = () => socket.destroy();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    socket.on("error", () => socket.destroy());
    const hand = (kind: number, data: Buffer) => {
      if (kind !== packetStdout && kind !== packetStderr) return;
      const target = kind === packetStderr ? streams.stderr : streams.stdout;
      // A reader that is slow holds the socket back, and through it conmon.
      if (!target || target.write(data) || socket.isPaused()) return;
      socket.pause();
      target.once("drain", () => socket.resume());
    };
    for (const target of [streams.stdout, streams.stderr]) target?.once("close", () => socket.resume());
    const packets = new PacketReader(syscalls, fd, hand);
    // Node's loop reads one packet a turn; whatever else is there comes along.
    socket.on("data", (packet: Buffer) => {
      hand(packet[0]!, packet.subarray(1));
      // Not before what Node has read of it already.
      if (!socket.isPaused() && socket.readableLength === 0) packets.readAll();
    });
    if (streams.stdin && record.config.stdin) {
      const isForOthers = !record.config.stdinOnce && !options.tty;
      void pumpStdin(streams.stdin, (chunk) => writePacket(socket, chunk)).then(
        () => (isForOthers ? socket.destroy() : socket.end()),
        () => {},
      );
    }
    if (options.tty && streams.resize) void followSize(context, record, streams.resize, signal);
    await Promise.race([once(socket, "end"), once(socket, "close")]);
    // To libuv a packet, shorter than what was asked for, of a socket that is hung up is the last one.
    if (!socket.destroyed) packets.readAll();
    socket.destroy();
    signal.removeEventListener("abort", stop);
  } finally {
    await folder.close();
  }
}

async function pumpStdin(
  stdin: AsyncIterable<Buffer>,
  write: (chunk: Buffer) => Promise<void>,
): Promise<void> {
  for await (const data of stdin) {
    const bytes = Buffer.from(data);
    for (let at = 0; at < bytes.length; at += stdinPacketBytesMax) {
      await write(bytes.subarray(at, at + stdinPacketBytesMax));
    }
  }
}

/** One packet a write: libuv would join what waits into one that is too long. */
function writePacket(socket: NodeJS.WritableStream, chunk: Buffer): Promise<void> {
  return new Promise((resolve, reject) =>
    socket.write(chunk, (error) => (error ? reject(error) : resolve())),
  );
}

async function followSize(
  context: EngineContext,
  record: ContainerRecord,
  sizes: NonNullable<RuntimeStreams["resize"]>,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const { columns, rows } of sizes) {
      if (signal.aborted) return;
      control(context, record, [controlResize, rows, columns]);
    }
  } catch {
    // The container has ended, or its client has gone.
  }
}

/** After the agent renamed the log file: conmon opens a new one under the old name. */
export async function reopenLog(context: EngineContext, record: ContainerRecord): Promise<void> {
  try {
    control(context, record, [controlReopenLog, 0, 0]);
  } catch (error) {
    throw new RuntimeError("Internal", `cannot reopen the log of ${record.id}: ${(error as Error).message}`);
  }
}

/** Never waits: without a reader at the other end the open fails. */
function control(context: EngineContext, record: ContainerRecord, numbers: readonly number[]): void {
  const path = join(context.layout.bundle(record.id), "ctl");
  const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    writeSync(fd, `${numbers.join(" ")}\n`);
  } finally {
    closeSync(fd);
  }
}
