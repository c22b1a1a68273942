import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { open, readFile, rm } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { RuntimeError, type RuntimeExecOptions, type RuntimeStreams } from "../contract.ts";
import { adoptDescriptor, listenUnix, openPipe } from "../linux/descriptors.ts";
import type { Syscalls } from "../linux/syscalls.ts";
import { runTool } from "../linux/tool.ts";
import { type EngineContext, runtimeArgs } from "./context.ts";
import { execFailureCode } from "./errors.ts";
import type { ContainerRecord } from "./records.ts";
import type { OciProcess, OciSpec } from "./spec/oci-spec.ts";

/** What is kept of each stream of an execSync, as the kubelet's own bound. */
const outputBytesDefault = 16 * 1024 * 1024;
/** A daemon that the command left behind may hold its streams open; the output is complete long before. */
const drainMsMax = 500;
/** The runtime connects within milliseconds. */
const terminalMsMax = 30_000;
const signalExitBase = 128;

/** Runs further commands in running containers. */
export class ContainerExec {
  readonly #context: EngineContext;
  readonly #running = new Set<ExecSession>();
  #sequence = 0;

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /** Ends what is being run for clients that go with the agent. */
  close(): void {
    for (const session of this.#running) void session.kill();
  }

  async sync(
    record: ContainerRecord,
    command: readonly string[],
    options: { timeoutMs?: number; outputBytesMax?: number },
  ): Promise<{ exitCode: number; stdout: Buffer; stderr: Buffer }> {
    const outputBytesMax = options.outputBytesMax ?? outputBytesDefault;
    const session = await this.#start(record, { command, tty: false }, { stdin: false });
    const stdout = keep(session.stdout!, outputBytesMax);
    const stderr = keep(session.stderr!, outputBytesMax);
    let timedOut = false;
    const timer =
      options.timeoutMs !== undefined
        ? this.#context.clock.after(options.timeoutMs, () => {
            timedOut = true;
            void session.kill();
          })
        : undefined;
    const { exitCode, complaint } = await this.#finish(session);
    timer?.cancel();
    if (timedOut) {
      const shown = JSON.stringify(command.join(" "));
      throw new RuntimeError("DeadlineExceeded", `command ${shown} timed out after ${options.timeoutMs} ms`);
    }
    return { exitCode, stdout: stdout(), stderr: Buffer.concat([stderr(), Buffer.from(complaint)]) };
  }

  async stream(
    record: ContainerRecord,
    options: RuntimeExecOptions,
    streams: RuntimeStreams,
    signal: AbortSignal,
  ): Promise<{ exitCode: number }> {
    signal.throwIfAborted();
    const session = await this.#start(record, options, { stdin: streams.stdin !== undefined });
    const stop = () => void session.kill();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    forward(session.stdout, streams.stdout);
    forward(session.stderr, streams.stderr);
    if (streams.stdin && session.stdin) {
      session.stdin.on("error", () => streams.stdin?.unpipe(session.stdin));
      // A terminal has no end of input: the client's end means nothing to it.
      streams.stdin.pipe(session.stdin, { end: !options.tty });
    }
    if (options.tty && streams.resize) void session.followSize(streams.resize);
    const { exitCode, complaint } = await this.#finish(session);
    signal.removeEventListener("abort", stop);
    if (complaint)
      await new Promise((resolve) => (streams.stderr ?? streams.stdout)?.write(complaint, resolve));
    return { exitCode };
  }

  async #start(
    record: ContainerRecord,
    options: RuntimeExecOptions,
    wants: { stdin: boolean },
  ): Promise<ExecSession> {
    if (options.command.length === 0) throw new RuntimeError("InvalidArgument", "no command to execute");
    const session = new ExecSession(this.#context, record, `exec-${++this.#sequence}`);
    this.#running.add(session);
    try {
      await session.start(options, wants);
      return session;
    } catch (error) {
      this.#running.delete(session);
      throw error;
    }
  }

  async #finish(session: ExecSession): Promise<{ exitCode: number; complaint: string }> {
    try {
      return await session.ended();
    } finally {
      this.#running.delete(session);
    }
  }
}

/** One `exec`: the runtime's process, its streams, and the cgroup by which all of it can be killed. */
class ExecSession {
  stdin: Writable | undefined;
  stdout: Readable | undefined;
  stderr: Readable | undefined;
  readonly #context: EngineContext;
  readonly #record: ContainerRecord;
  readonly #name: string;
  #child: ChildProcess | undefined;
  #terminalFd: number | undefined;

  constructor(context: EngineContext, record: ContainerRecord, name: string) {
    this.#context = context;
    this.#record = record;
    this.#name = name;
  }

  get #logPath(): string {
    return join(this.#context.layout.bundle(this.#record.id), `${this.#name}.log`);
  }

  async start(options: RuntimeExecOptions, wants: { stdin: boolean }): Promise<void> {
    const process = await execProcess(this.#context, this.#record, options);
    if (options.tty) await this.#startWithTerminal(process);
    else await this.#startWithPipes(process, wants);
  }

  /** Real pipes, because a command may open /dev/stdout, which fails on the sockets that Node would make. */
  async #startWithPipes(process: OciProcess, wants: { stdin: boolean }): Promise<void> {
    const { syscalls } = this.#context.host;
    if (!syscalls) {
      const child = await this.#spawn(process, [], [wants.stdin ? "pipe" : "ignore", "pipe", "pipe"]);
      this.stdin = child.stdin ?? undefined;
      this.stdout = child.stdout!;
      this.stderr = child.stderr!;
      return;
    }
    const input = wants.stdin ? openPipe(syscalls) : undefined;
    const [output, errors] = [openPipe(syscalls), openPipe(syscalls)];
    const childEnds = [output.write, errors.write, ...(input ? [input.read] : [])];
    const ownEnds = [output.read, errors.read, ...(input ? [input.write] : [])];
    try {
      await this.#spawn(process, [], [input?.read ?? "ignore", output.write, errors.write]);
    } catch (error) {
      for (const fd of ownEnds) closeSync(fd);
      throw error;
    } finally {
      for (const fd of childEnds) closeSync(fd);
    }
    this.stdout = new Socket({ fd: output.read, readable: true, writable: false });
    this.stderr = new Socket({ fd: errors.read, readable: true, writable: false });
    if (input) this.stdin = new Socket({ fd: input.write, readable: false, writable: true });
  }

  /** The runtime makes the terminal in the container and passes its master over a socket. */
  async #startWithTerminal(process: OciProcess): Promise<void> {
    const syscalls = this.#context.host.syscalls;
    if (!syscalls) {
      throw new RuntimeError("Unsupported", "a terminal needs koffi, which has no build for this machine");
    }
    const path = join(this.#context.layout.consoles, `${this.#record.id.slice(0, 12)}-${this.#name}`);
    await rm(path, { force: true });
    const listening = listenUnix(syscalls, path);
    try {
      const terminal = syscalls.receiveFdAsync(listening, terminalMsMax);
      const child = await this.#spawn(
        process,
        ["--tty", `--console-socket=${path}`],
        ["ignore", "ignore", "ignore"],
      );
      // A runtime that fails never connects.
      const failed = once(child, "exit")
        .then(() => this.#context.clock.sleep(drainMsMax))
        .then(() => -1);
      const fd = await Promise.race([terminal, failed]);
      if (fd < 0) return;
      const adopted = adoptDescriptor(syscalls, fd);
      this.#terminalFd = adopted.fd;
      // The end of a terminal's other side is an error to its master.
      adopted.socket.on("error", () => adopted.socket.destroy());
      adopted.socket.on("close", () => {
        this.#terminalFd = undefined;
      });
      this.stdin = adopted.socket;
      this.stdout = adopted.socket;
    } finally {
      closeSync(listening);
      await rm(path, { force: true });
    }
  }

  /**
   * The runtime reads the process's specification from a pipe that is filled only after it was put into its cgroup,
   * so that nothing it starts is ever outside.
   */
  async #spawn(
    process: OciProcess,
    args: readonly string[],
    stdio: (number | "ignore" | "pipe")[],
  ): Promise<ChildProcess> {
    const { cgroups, runtime, host, layout } = this.#context;
    const gate = await openGate(host.syscalls, join(layout.bundle(this.#record.id), `${this.#name}.fifo`));
    try {
      const execArgs = [
        ...[...runtimeArgs(this.#context), `--log=${this.#logPath}`, "exec", "--process", gate.path, ...args],
        ...cgroups.execRuntimeArgs(this.#record.cgroup, this.#name),
        this.#record.id,
      ];
      // What is in a cgroup before its own process is the agent's doing.
      cgroups.prepareExec(this.#record.cgroup, this.#name);
      const child = spawn(runtime.path, execArgs, {
        stdio: [...stdio, gate.childFd],
        env: { PATH: searchPath },
      });
      this.#child = child;
      await once(child, "spawn");
      cgroups.joinExec(this.#record.cgroup, this.#name, child.pid!);
      await gate.fill(JSON.stringify(process));
      return child;
    } finally {
      await gate.close();
    }
  }

  async followSize(sizes: NonNullable<RuntimeStreams["resize"]>): Promise<void> {
    try {
      for await (const size of sizes) {
        if (this.#terminalFd === undefined) return;
        this.#context.host.syscalls!.setWindowSize(this.#terminalFd, size);
      }
    } catch {
      // The terminal or its client has gone.
    }
  }

  async kill(): Promise<void> {
    await this.#context.cgroups.killExec(this.#record.cgroup, this.#name);
    this.#child?.kill("SIGKILL");
  }

  /** After the command's end and the last of its output. */
  async ended(): Promise<{ exitCode: number; complaint: string }> {
    const child = this.#child!;
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    await this.#drain();
    this.#context.cgroups.removeExec(this.#record.cgroup, this.#name);
    const report = await readFile(this.#logPath, "utf8").catch(() => "");
    if (report) await rm(this.#logPath, { force: true });
    if (child.exitCode === null) return { exitCode: signalExitBase + 9, complaint: "" };
    if (child.exitCode === 0 || !report.trim()) return { exitCode: child.exitCode, complaint: "" };
    const complaint = report.trim().replace(/^\S+T\S+: /gm, "");
    return { exitCode: execFailureCode(complaint) ?? child.exitCode, complaint: `${complaint}\n` };
  }

  async #drain(): Promise<void> {
    const open = [...new Set([this.stdout, this.stderr])].filter((stream) => stream && !stream.destroyed);
    const done = Promise.all(open.map((stream) => once(stream!, "close").catch(() => {})));
    const cut = new AbortController();
    const late = this.#context.clock.sleep(drainMsMax, cut.signal).catch(() => {});
    await Promise.race([done, late]);
    cut.abort();
    for (const stream of open) stream!.destroy();
    this.stdin?.destroy();
  }
}

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The container's own process, with another command. */
async function execProcess(
  context: EngineContext,
  record: ContainerRecord,
  options: RuntimeExecOptions,
): Promise<OciProcess> {
  const text = await readFile(join(context.layout.bundle(record.id), "config.json"), "utf8");
  const { process } = JSON.parse(text) as OciSpec;
  const env = process.env.filter((line) => !options.tty || !line.startsWith("TERM="));
  return {
    ...process,
    terminal: options.tty,
    args: [...options.command],
    env: options.tty ? [...env, "TERM=xterm"] : env,
  };
}

interface Gate {
  /** What the child opens. */
  path: string;
  childFd: number | "ignore";
  fill(text: string): Promise<void>;
  close(): Promise<void>;
}

/** Where a file of a child ends up when it is the fourth of its streams. */
const gateFd = 3;

/** A pipe that its reader waits at: an anonymous one, or a named one where koffi is missing. */
async function openGate(syscalls: Syscalls | undefined, path: string): Promise<Gate> {
  if (!syscalls) {
    await runTool("mkfifo", [path]);
    return {
      path,
      childFd: "ignore",
      async fill(text) {
        const file = await open(path, "w");
        await file.writeFile(text).finally(() => file.close());
      },
      close: () => rm(path, { force: true }),
    };
  }
  const { read, write } = openPipe(syscalls);
  const writer = new Socket({ fd: write, readable: false, writable: true });
  writer.on("error", () => {});
  return {
    path: `/proc/self/fd/${gateFd}`,
    childFd: read,
    async fill(text) {
      writer.end(text);
    },
    async close() {
      closeSync(read);
      if (!writer.writableEnded) writer.destroy();
    },
  };
}

function forward(from: Readable | undefined, to: Writable | undefined): void {
  if (!from) return;
  if (!to) from.resume();
  else from.pipe(to, { end: false });
}

/** Reads to the end, keeps the first `bytesMax`. */
function keep(stream: Readable, bytesMax: number): () => Buffer {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => {
    if (bytes >= bytesMax) return;
    const part = chunk.subarray(0, bytesMax - bytes);
    chunks.push(part);
    bytes += part.length;
  });
  stream.on("error", () => stream.destroy());
  return () => Buffer.concat(chunks);
}
