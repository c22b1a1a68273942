import { once } from "node:events";
import { closeSync, unlinkSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { RuntimeError, type RuntimeExecOptions, type RuntimeStreams } from "../contract.ts";
import { adoptTerminal, listenUnix } from "../linux/descriptors.ts";
import { holdFifo, makeFifo, readFifo, writeFifo } from "../linux/launcher.ts";
import { runTool } from "../linux/tool.ts";
import type { EngineContext } from "./context.ts";
import { execFailureCode } from "./errors.ts";
import { contextOfContainer, runtimeCommand } from "./handlers.ts";
import type { ContainerRecord } from "./records.ts";
import type { OciProcess, OciSpec } from "./spec/oci-spec.ts";

/** What is kept of each stream of an execSync, as the kubelet's own bound. */
const outputBytesDefault = 16 * 1024 * 1024;
/** A daemon that the command left behind may hold its streams open; the output is complete long before. */
const drainMsMax = 500;
/** The runtime connects within milliseconds. */
const terminalMsMax = 30_000;

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
    const { exitCode, complaint } = await this.#finish(session, signal);
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

  async #finish(
    session: ExecSession,
    signal?: AbortSignal,
  ): Promise<{ exitCode: number; complaint: string }> {
    try {
      return await session.ended(signal);
    } finally {
      this.#running.delete(session);
    }
  }
}

/** One `exec`: the runtime's process, its streams, and the cgroup by which all of it can be killed. */
class ExecSession {
  stdin: Socket | undefined;
  stdout: Socket | undefined;
  stderr: Socket | undefined;
  readonly #context: EngineContext;
  readonly #record: ContainerRecord;
  readonly #name: string;
  #exited: Promise<number> | undefined;
  #terminalFd: number | undefined;

  constructor(context: EngineContext, record: ContainerRecord, name: string) {
    this.#context = contextOfContainer(context, record);
    this.#record = record;
    this.#name = name;
  }

  #file(kind: "json" | "log" | "in" | "out" | "err" | "pid"): string {
    return join(this.#context.layout.bundle(this.#record.id), `${this.#name}.${kind}`);
  }

  async start(options: RuntimeExecOptions, wants: { stdin: boolean }): Promise<void> {
    const process = await execProcess(this.#context, this.#record, options);
    await writeFile(this.#file("json"), JSON.stringify(process), { mode: 0o600 });
    this.#context.cgroups.prepareExec(this.#record.cgroup, this.#name);
    if (options.tty) await this.#startWithTerminal();
    else await this.#startWithPipes(wants);
  }

  /** Pipes, because a command may open /dev/stdout, which fails on the sockets that Node would make. */
  async #startWithPipes(wants: { stdin: boolean }): Promise<void> {
    const { syscalls } = this.#context.host;
    const files = {
      ...(wants.stdin && { stdin: this.#file("in") }),
      stdout: this.#file("out"),
      stderr: this.#file("err"),
    };
    for (const path of Object.values(files)) await makeFifo(syscalls, path);
    this.stdout = readFifo(files.stdout, syscalls);
    this.stderr = readFifo(files.stderr, syscalls);
    if (!files.stdin) {
      this.#exited = this.#context.launcher.run(this.#command([]), files);
      return;
    }
    // The client's input may be complete before the command has opened its end.
    const opened = holdFifo(files.stdin);
    this.stdin = writeFifo(files.stdin, syscalls);
    this.#exited = this.#context.launcher.run(this.#command([]), files, { opened }).finally(opened);
  }

  /** The runtime makes the terminal in the container and passes its master over a socket. */
  async #startWithTerminal(): Promise<void> {
    const syscalls = this.#context.host.syscalls;
    if (!syscalls) {
      throw new RuntimeError("Unsupported", "a terminal needs koffi, which has no build for this machine");
    }
    const path = join(this.#context.layout.consoles, `${this.#record.id.slice(0, 12)}-${this.#name}`);
    await rm(path, { force: true });
    const listening = listenUnix(syscalls, path);
    try {
      const terminal = syscalls.receiveFdAsync(listening, terminalMsMax);
      this.#exited = this.#context.launcher.run(this.#command(["--tty", `--console-socket=${path}`]));
      // A runtime that fails never connects; one that has connected may be at its end already.
      const failed = this.#exited.then(() => this.#context.clock.sleep(drainMsMax)).then(() => -1);
      const fd = await Promise.race([terminal, failed]);
      if (fd < 0) return;
      const adopted = adoptTerminal(syscalls, fd);
      this.#terminalFd = adopted.fd;
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

  #command(options: readonly string[]): string[] {
    const { cgroups } = this.#context;
    return [
      ...[...cgroups.execLauncher(this.#record.cgroup, this.#name), ...runtimeCommand(this.#context)],
      ...[`--log=${this.#file("log")}`, "exec", "--process", this.#file("json"), ...options],
      ...(this.#context.runtime.kind === "runsc" ? [`--internal-pid-file=${this.#file("pid")}`] : []),
      ...[...cgroups.execRuntimeArgs(this.#name), this.#record.id],
    ];
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

  /** What runs under gVisor has no process on this host: its kernel is asked. */
  async #killInSandbox(): Promise<void> {
    const pid = await readFile(this.#file("pid"), "utf8").catch(() => "");
    if (!pid) return;
    const [program, ...args] = runtimeCommand(this.#context);
    await runTool(program!, [...args, "kill", "--pid", pid, this.#record.id, "KILL"]).catch(() => {});
  }

  async kill(): Promise<void> {
    if (this.#context.runtime.kind === "runsc") await this.#killInSandbox();
    await this.#context.cgroups.killExec(this.#record.cgroup, this.#name);
  }

  /** After the command's end and the last of its output; `signal`: whoever reads it has gone. */
  async ended(signal?: AbortSignal): Promise<{ exitCode: number; complaint: string }> {
    const exitCode = await this.#exited!;
    await this.#drain(signal);
    const report = exitCode === 0 ? "" : await readFile(this.#file("log"), "utf8").catch(() => "");
    await this.#removeFiles();
    if (!report.trim()) return { exitCode, complaint: "" };
    const complaint = report.trim().replace(/^\S+T\S+: /gm, "");
    // Without a terminal the runtime has said it on the command's own standard error.
    const isSaid = this.stderr !== undefined;
    return { exitCode: execFailureCode(complaint) ?? exitCode, complaint: isSaid ? "" : `${complaint}\n` };
  }

  /** What waits for a slow reader is not lost: only time counts in which none held the output back. */
  async #drain(signal: AbortSignal | undefined): Promise<void> {
    const open = [...new Set([this.stdout, this.stderr])].filter((stream) => stream !== undefined);
    const isOpen = () => open.some((stream) => !stream.destroyed);
    const isHeldBack = () => open.some((stream) => stream.isPaused() && !stream.readableEnded);
    let wasHeldBack = true;
    for (const stream of open)
      stream.on("pause", () => {
        wasHeldBack = true;
      });
    while (isOpen() && wasHeldBack && !signal?.aborted) {
      const waiting = new AbortController();
      const options = { signal: waiting.signal };
      wasHeldBack = false;
      await Promise.race([
        Promise.all(open.map((stream) => stream.destroyed || once(stream, "close", options))),
        this.#context.clock.sleep(drainMsMax, waiting.signal),
        ...(signal ? [once(signal, "abort", options)] : []),
      ]);
      waiting.abort();
      // Where the event loop stood still meanwhile, nothing has been read yet.
      await setImmediate();
      wasHeldBack ||= isHeldBack();
    }
    for (const stream of open) stream.destroy();
    this.stdin?.destroy();
  }

  async #removeFiles(): Promise<void> {
    this.#context.cgroups.removeExec(this.#record.cgroup, this.#name);
    for (const kind of ["json", "log", "in", "out", "err", "pid"] as const) removeNow(this.#file(kind));
  }
}

/** On a tmpfs, where it takes some microseconds; by way of another thread, and looked at before, a hundred times that. */
function removeNow(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

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

function forward(from: Readable | undefined, to: Writable | undefined): void {
  if (!from) return;
  if (!to) return void from.resume();
  from.pipe(to, { end: false });
  // Nobody reads any more, and the command is not held up.
  to.once("close", () => from.resume());
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
