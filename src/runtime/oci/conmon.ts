import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { Clock } from "../../base/index.ts";
import { RuntimeError } from "../contract.ts";
import { type Launcher, makeFifo, readFifo } from "../linux/launcher.ts";
import type { Syscalls } from "../linux/syscalls.ts";

export interface ConmonLaunch {
  conmonPath: string;
  /** The command line of the runtime, up to its subcommand. */
  runtime: readonly string[];
  id: string;
  bundle: string;
  exitDir: string;
  logPath: string;
  tty: boolean;
  stdin: boolean;
  stdinOnce: boolean;
}

/** A launch that hangs is a failure; a loaded machine needs some seconds. */
const launchMsMax = 60_000;
/** A runtime's complaint is a line or two. */
const reportCharsMax = 64 * 1024;

/**
 * Starts conmon, which makes the container with the runtime's `create` and then holds its streams, log and exit code
 * on its own, whatever becomes of the agent. Resolves with the pid of the container's process, which waits for its
 * start. Rejects with `RunContainerError` and what the runtime had to say.
 */
export async function launchContainer(
  tools: { launcher: Launcher; syscalls: Syscalls | undefined; clock: Clock },
  launch: ConmonLaunch,
): Promise<number> {
  const sync = join(launch.bundle, "sync");
  const complaints = join(launch.bundle, "conmon.log");
  await makeFifo(tools.syscalls, sync);
  const pipe = readFifo(sync);
  const tooLate = tools.clock.after(launchMsMax, () => pipe.destroy());
  try {
    const exited = tools.launcher.run(
      conmonArgs(launch),
      // It leaves a file `oom` where it stands.
      { stderr: complaints, extra: sync, directory: launch.bundle },
      { env: { _OCI_SYNCPIPE: "3" } },
    );
    // Without a conmon, the pipe has never had a writer and would not end.
    const failed = exited.then((code) => {
      if (code !== 0) pipe.destroy();
    });
    failed.catch(() => pipe.destroy());
    const report = await readReport(pipe);
    if (report && report.pid > 0) return report.pid;
    const complaint = await readFile(complaints, "utf8").catch(() => "");
    throw new RuntimeError(
      "RunContainerError",
      report?.message || complaint.trim() || "conmon ended without a word",
    );
  } finally {
    tooLate.cancel();
    pipe.destroy();
  }
}

function conmonArgs(launch: ConmonLaunch): string[] {
  const { bundle, id } = launch;
  const [program, ...runtimeArgs] = launch.runtime;
  return [
    ...[launch.conmonPath, "--api-version", "1", "-c", id, "-u", id, "-n", id, "-r", program!, "-b", bundle],
    ...["-p", `${bundle}/pid`, "-P", `${bundle}/conmon.pid`],
    // Without a persist dir conmon dies silently.
    ...["--exit-dir", launch.exitDir, "--persist-dir", bundle, "-l", `k8s-file:${launch.logPath}`],
    // --no-sync-log: an fsync of the log at every exit would hold the exit code back.
    ...["--full-attach", "--no-sync-log", "--log-level", "error"],
    ...(launch.tty ? ["-t"] : []),
    ...(launch.stdin ? ["-i"] : []),
    ...(launch.stdin && !launch.stdinOnce ? ["--leave-stdin-open"] : []),
    ...runtimeArgs.flatMap((arg) => ["--runtime-arg", arg]),
  ];
}

/** The one line of the sync pipe: `{"data": PID}`, or a negative number with a message. */
async function readReport(pipe: Socket): Promise<{ pid: number; message?: string } | undefined> {
  let text = "";
  pipe.setEncoding("utf8");
  pipe.on("error", () => {});
  await new Promise<void>((resolve) => {
    pipe.on("data", (chunk: string) => {
      text += chunk;
      if (text.includes("\n") || text.length > reportCharsMax) resolve();
    });
    pipe.on("close", resolve);
    pipe.on("end", resolve);
  });
  try {
    const { data, message } = JSON.parse(text.split("\n")[0]!) as { data: number; message?: string };
    return { pid: data, message };
  } catch {
    return undefined;
  }
}
