import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { RuntimeError } from "../contract.ts";

export interface ConmonLaunch {
  conmonPath: string;
  runtimePath: string;
  /** Before the runtime's subcommand: `--root`, `--cgroup-manager`. */
  runtimeArgs: readonly string[];
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
const reportBytesMax = 64 * 1024;

/**
 * Starts conmon, which makes the container with the runtime's `create` and then holds its streams, log and exit code
 * on its own, whatever becomes of the agent. Resolves with the pid of the container's process, which waits for its
 * start. Rejects with `RunContainerError` and what the runtime had to say.
 */
export async function launchContainer(launch: ConmonLaunch): Promise<number> {
  const child = spawn(launch.conmonPath, conmonArgs(launch), {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    // conmon leads a session of its own; nothing of the agent's environment is its business.
    env: { PATH: searchPath, _OCI_SYNCPIPE: "3" },
    timeout: launchMsMax,
    killSignal: "SIGKILL",
  });
  const complaint = collect(child.stderr as Readable);
  const failedToSpawn = new Promise<never>((_, reject) =>
    child.once("error", (error) =>
      reject(new RuntimeError("RunContainerError", `cannot run conmon: ${error.message}`)),
    ),
  );
  const report = await Promise.race([readReport(child.stdio[3] as Readable), failedToSpawn]);
  if (report && report.pid > 0) {
    (child.stderr as Readable).destroy();
    return report.pid;
  }
  throw new RuntimeError(
    "RunContainerError",
    report?.message || (await complaint) || "conmon ended without a word",
  );
}

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function conmonArgs(launch: ConmonLaunch): string[] {
  const { bundle, id } = launch;
  return [
    ...["--api-version", "1", "-c", id, "-u", id, "-n", id, "-r", launch.runtimePath, "-b", bundle],
    ...["-p", `${bundle}/pid`, "-P", `${bundle}/conmon.pid`],
    // Without a persist dir conmon dies silently.
    ...["--exit-dir", launch.exitDir, "--persist-dir", bundle, "-l", `k8s-file:${launch.logPath}`],
    // --no-sync-log: an fsync of the log at every exit would hold the exit code back.
    ...["--full-attach", "--no-sync-log", "--log-level", "error"],
    ...(launch.tty ? ["-t"] : []),
    ...(launch.stdin ? ["-i"] : []),
    ...(launch.stdin && !launch.stdinOnce ? ["--leave-stdin-open"] : []),
    ...launch.runtimeArgs.flatMap((arg) => ["--runtime-arg", arg]),
  ];
}

/** The one line of the sync pipe: `{"data": PID}`, or a negative number with a message. */
async function readReport(pipe: Readable): Promise<{ pid: number; message?: string } | undefined> {
  let text = "";
  pipe.setEncoding("utf8");
  for await (const chunk of pipe) {
    text += chunk;
    if (text.includes("\n") || text.length > reportBytesMax) break;
  }
  try {
    const { data, message } = JSON.parse(text.split("\n")[0]!) as { data: number; message?: string };
    return { pid: data, message };
  } catch {
    return undefined;
  }
}

async function collect(stream: Readable): Promise<string> {
  let text = "";
  stream.setEncoding("utf8");
  try {
    for await (const chunk of stream) if (text.length < reportBytesMax) text += chunk;
  } catch {
    // Destroyed on success.
  }
  return text.trim();
}
