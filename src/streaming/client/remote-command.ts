import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import type { ExitStatus, StdStreams } from "../../client/index.ts";
import type { SpdySession } from "../spdy/index.ts";
import { connectSpdy } from "./connect.ts";

const protocol = "v4.channel.k8s.io";

/**
 * Runs what a streaming server's URL stands for: an exec, or an attach. Resolves when all output was handed on; the
 * streams for it are left open. The signal ends it, and it resolves with exit code 0, as the other side may go on.
 */
export async function runRemoteCommand(
  url: string,
  streams: StdStreams & { tty: boolean },
  signal: AbortSignal,
): Promise<ExitStatus> {
  const session = await connectSpdy(url, protocol, signal);
  const onAbort = () => session.destroy();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await run(session, streams, signal);
  } finally {
    signal.removeEventListener("abort", onAbort);
    session.destroy();
  }
}

async function run(
  session: SpdySession,
  { tty, stdin, stdout, stderr, resize }: StdStreams & { tty: boolean },
  signal: AbortSignal,
): Promise<ExitStatus> {
  const open = (streamtype: string) => session.open(new Map([["streamtype", streamtype]]));
  // In client-go's order; the server waits until it has all of them.
  const error = open("error");
  const input = stdin && open("stdin");
  const output = stdout && open("stdout");
  const errors = stderr && !tty ? open("stderr") : undefined;
  const sizes = tty ? open("resize") : undefined;
  error.end();
  // The command may end, and with it the stream, before its input does: that is no failure.
  if (input) pipeline(stdin, input).catch(() => {});
  if (sizes) void sendSizes(sizes, resize);
  const [report] = await Promise.all([
    text(error).catch(() => ""),
    output && handOn(output, stdout!),
    errors && handOn(errors, stderr!),
  ]);
  if (signal.aborted) return { exitCode: 0 };
  return parseReport(report);
}

/** To its end, at the pace of who takes it; who stops taking does not stop the command. */
async function handOn(from: Readable, to: Writable): Promise<void> {
  to.once("close", () => from.resume());
  from.pipe(to, { end: false });
  await new Promise((resolve) => from.once("close", resolve).once("end", resolve));
}

async function sendSizes(to: Writable, resize: StdStreams["resize"]): Promise<void> {
  for await (const { columns, rows } of resize ?? []) {
    if (to.destroyed) return;
    to.write(`${JSON.stringify({ Width: columns, Height: rows })}\n`);
  }
}

/** A Status: nothing at all, where the connection broke before there was one. */
function parseReport(report: string): ExitStatus {
  if (report === "") throw new Error("the connection ended before the command did");
  const status = JSON.parse(report) as {
    status?: string;
    reason?: string;
    message?: string;
    details?: { causes?: { reason?: string; message?: string }[] };
  };
  if (status.status === "Success") return { exitCode: 0 };
  const cause = status.details?.causes?.find(({ reason }) => reason === "ExitCode");
  if (status.reason === "NonZeroExitCode" && cause) return { exitCode: Number(cause.message) };
  throw new Error(status.message ?? "the command failed");
}
