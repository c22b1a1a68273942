import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";
import type { Syscalls } from "./syscalls.ts";
import { runTool } from "./tool.ts";

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** A line is an id and an exit code, or an id alone: its files are open. */
const backlogCharsMax = 64 * 1024;
/** A pipe that carries much: what the kernel gives anybody at most. The pages are taken only as they fill. */
const pipeBytes = 1024 * 1024;

export interface LaunchFiles {
  /** Where it runs; `/` when absent. */
  directory?: string;
  stdin?: string;
  stdout?: string;
  stderr?: string;
  /** Descriptor 3. */
  extra?: string;
}

export interface LaunchOptions {
  env?: Readonly<Record<string, string>>;
  /** Once the process has its files open, and before it does anything; perhaps never, where it cannot be started. */
  opened?: () => void;
}

interface Job {
  opened: (() => void) | undefined;
  exited: (code: number) => void;
  failed: (error: Error) => void;
}

/**
 * Starts processes through one small shell, because Node's own spawn forks the whole agent: its event loop stands
 * still for 1 ms with 50 MB of memory, 12 ms with 350 MB; the shell's fork takes 0.2 ms, and nothing waits for it.
 *
 * - What is started is nobody's child, has a session of the shell's, and outlives the agent.
 * - Streams are files or named pipes, as descriptors cannot be passed.
 * - The shell is started at first use, and again when it was killed; the jobs it had then fail.
 */
export class Launcher {
  #shell: ChildProcess | undefined;
  readonly #jobs = new Map<number, Job>();
  #sequence = 0;
  #closed = false;

  /** Resolves with the exit code of `command` (128 + signal when one killed it); environment: PATH and `env`. */
  run(
    command: readonly string[],
    files: LaunchFiles = {},
    { env = {}, opened }: LaunchOptions = {},
  ): Promise<number> {
    if (this.#closed) return Promise.reject(new Error("the launcher is closed"));
    const shell = this.#start();
    const id = ++this.#sequence;
    return new Promise((exited, failed) => {
      this.#jobs.set(id, { opened, exited, failed });
      for (const handle of [shell, shell.stdin as Socket, shell.stdout as Socket]) handle.ref();
      const variables = Object.entries(env).map(([name, value]) => `${name}=${quote(value)}`);
      const redirections = [
        `<${quote(files.stdin ?? "/dev/null")}`,
        `>${quote(files.stdout ?? "/dev/null")}`,
        `2>${quote(files.stderr ?? "/dev/null")}`,
        ...(files.extra ? [`3>${quote(files.extra)}`] : []),
      ];
      const words = [...variables, ...command.map(quote)].join(" ");
      // Descriptor 9 is the shell's answer while the process's own output is redirected.
      const line = opened
        ? `{ echo ${id} >&9; ${words} 9>&-; } 9>&1 ${redirections.join(" ")}`
        : `${words} ${redirections.join(" ")}`;
      // Twice a subshell: the shell waits for the first alone, and keeps no list of jobs.
      const directory = quote(files.directory ?? "/");
      shell.stdin!.write(`((cd ${directory} && ${line}; echo ${id} $?)&)\n`);
    });
  }

  /** Ends the shell; what it started runs on. */
  close(): void {
    this.#closed = true;
    this.#shell?.stdin?.end();
    this.#shell?.unref();
  }

  #start(): ChildProcess {
    if (this.#shell) return this.#shell;
    const shell = spawn("/bin/sh", [], {
      stdio: ["pipe", "pipe", "ignore"],
      env: { PATH: searchPath },
      detached: true,
    });
    this.#shell = shell;
    let text = "";
    shell.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const lines = text.split("\n");
      text = lines.pop()!.slice(-backlogCharsMax);
      for (const line of lines) this.#finished(line);
    });
    shell.stdin!.on("error", () => {});
    const ended = (error: Error) => {
      if (this.#shell !== shell) return;
      this.#shell = undefined;
      const jobs = [...this.#jobs.values()];
      this.#jobs.clear();
      for (const job of jobs) job.failed(error);
    };
    shell.on("error", ended);
    shell.on("exit", () => ended(new Error("the shell that starts processes was killed")));
    this.#idle(shell);
    return shell;
  }

  #finished(line: string): void {
    const [id, code] = line.split(" ").map(Number);
    const job = this.#jobs.get(id!);
    if (code === undefined) {
      job?.opened?.();
      return;
    }
    job?.exited(code);
    this.#jobs.delete(id!);
    if (this.#jobs.size === 0 && this.#shell) this.#idle(this.#shell);
  }

  /** Without a job the shell holds nobody up. */
  #idle(shell: ChildProcess): void {
    shell.unref();
    (shell.stdin as Socket).unref();
    (shell.stdout as Socket).unref();
  }
}

/** As one word of a shell's line. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

export async function makeFifo(syscalls: Syscalls | undefined, path: string): Promise<void> {
  if (syscalls) syscalls.makeFifo(path, 0o600);
  else await runTool("mkfifo", ["-m", "600", path]);
}

/** The reading end of a named pipe; it ends when the last writer has gone, but not before the first has come. */
export function readFifo(path: string, syscalls?: Syscalls): Socket {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  syscalls?.setPipeSize(fd, pipeBytes);
  return socketOf(fd, { readable: true, writable: false });
}

/** Keeps what was written to a named pipe, and its open end, for a reader that has yet to come; returns how to let go. */
export function holdFifo(path: string): () => void {
  let fd: number | undefined = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  return () => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
}

/** The writing end, open also while nobody reads yet. */
export function writeFifo(path: string, syscalls?: Syscalls): Socket {
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  syscalls?.setPipeSize(fd, pipeBytes);
  return socketOf(fd, { readable: false, writable: true });
}

function socketOf(fd: number, options: { readable: boolean; writable: boolean }): Socket {
  try {
    return new Socket({ fd, ...options });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
