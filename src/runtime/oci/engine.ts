import type { Duplex } from "node:stream";
import { KeyedMutex, type Timer } from "../../base/index.ts";
import {
  type ContainerConfig,
  type ContainerStats,
  type ContainerStatus,
  type DiskUsage,
  type LinuxResources,
  type PodSandboxConfig,
  type PodSandboxStats,
  type PodSandboxStatus,
  type Runtime,
  RuntimeError,
  type RuntimeEvent,
  type RuntimeExecOptions,
  type RuntimeHandler,
  type RuntimeStreams,
  type SharedCgroups,
  type UsageDetail,
} from "../contract.ts";
import { attachContainer, reopenLog } from "./attach.ts";
import {
  ContainerMaker,
  containerStatus,
  endProcesses,
  releaseContainer,
  startContainer,
} from "./containers.ts";
import type { EngineContext } from "./context.ts";
import { notFound } from "./errors.ts";
import { ContainerExec } from "./exec.ts";
import { ExitWatcher, readExit } from "./exits.ts";
import { contextOfContainer, handlerFeatures } from "./handlers.ts";
import { forwardPort } from "./port-forward.ts";
import { isAlive, signalProcess } from "./processes.ts";
import type { ContainerRecord, SandboxRecord } from "./records.ts";
import { repair } from "./repair.ts";
import { updateContainer, updateSandbox } from "./resources.ts";
import { releaseSandbox, runSandbox, sandboxStatus, stopSandbox } from "./sandboxes.ts";
import { sharedCgroups } from "./shared-cgroups.ts";
import { parseSignal } from "./signals.ts";
import { containerStats, diskUsage, podStats } from "./stats.ts";

/** After SIGKILL a container ends within milliseconds, unless its disk hangs. */
const killMsMax = 10_000;
/** How long an ended process may be without its exit file before its conmon counts as lost. */
const exitFileMsMax = 2_000;
/** How often it is checked that what is recorded as running does run: only a killed conmon makes a difference. */
const sweepEveryMs = 30_000;
/** As containerd reports a container whose end nobody saw. */
const unknownExitCode = 255;
const killedExitCode = 137;

/** The default engine: crun under one conmon a container. */
export class OciRuntime implements Runtime {
  readonly images;
  readonly sharedCgroups: SharedCgroups;
  readonly #context: EngineContext;
  readonly #maker: ContainerMaker;
  readonly #exec: ContainerExec;
  readonly #exits: ExitWatcher;
  readonly #locks = new KeyedMutex();
  readonly #listeners = new Set<(event: RuntimeEvent) => void>();
  /** Who waits for a container's end. */
  readonly #waiters = new Map<string, Set<() => void>>();
  /** Sandboxes being made, by pod and attempt, so that a repeated call joins. */
  readonly #running = new Map<string, Promise<string>>();
  #sweep: Timer | undefined;
  #closed = false;

  constructor(context: EngineContext) {
    this.#context = context;
    this.images = context.images;
    this.sharedCgroups = sharedCgroups(context);
    this.#maker = new ContainerMaker(context);
    this.#exec = new ContainerExec(context);
    this.#exits = new ExitWatcher(context.layout, (id) => void this.#onExitFile(id), context.log);
  }

  /** Takes up what an earlier engine left, then watches. */
  async start(): Promise<void> {
    await repair(this.#context);
    await this.#exits.start();
    await this.#sweepLost();
    this.#scheduleSweep();
  }

  async version(): Promise<{ name: string; version: string }> {
    const { runtime, version } = this.#context;
    return { name: `peapod-${runtime.kind}`, version };
  }

  async status(): Promise<{ ready: boolean; message: string }> {
    return this.#context.network.status();
  }

  async handlers(): Promise<RuntimeHandler[]> {
    const handlers = [...this.#context.handlers.values()];
    return handlers.map((handler) => handlerFeatures(this.#context, handler));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#exits.stop();
    this.#sweep?.cancel();
    this.#exec.close();
    this.#context.launcher.close();
    await this.#context.records.close();
  }

  onEvent(listener: (event: RuntimeEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // Sandboxes

  async runPodSandbox(config: PodSandboxConfig, signal?: AbortSignal): Promise<string> {
    signal?.throwIfAborted();
    const { uid, attempt } = config.metadata;
    const key = `${uid}/${attempt}`;
    for (const record of this.#context.records.sandboxes.values()) {
      const same = record.config.metadata.uid === uid && record.config.metadata.attempt === attempt;
      if (same && sandboxStatus(this.#context, record).state === "ready") return record.id;
    }
    let running = this.#running.get(key);
    if (!running) {
      const making = this.#context.starting.run(() => runSandbox(this.#context, config));
      running = making.finally(() => this.#running.delete(key));
      this.#running.set(key, running);
    }
    return running;
  }

  stopPodSandbox(sandboxId: string): Promise<void> {
    return this.#locks.run(sandboxId, async () => {
      const record = this.#context.records.sandboxes.get(sandboxId);
      if (!record) return;
      await Promise.all(this.#containersOf(sandboxId).map((c) => this.stopContainer(c.id, { graceS: 0 })));
      await stopSandbox(this.#context, record);
    });
  }

  async removePodSandbox(sandboxId: string): Promise<void> {
    await this.stopPodSandbox(sandboxId);
    await this.#locks.run(sandboxId, async () => {
      if (!this.#context.records.sandboxes.has(sandboxId)) return;
      await Promise.all(this.#containersOf(sandboxId).map((c) => this.removeContainer(c.id)));
      await releaseSandbox(this.#context, sandboxId);
      await this.#context.records.forgetSandbox(sandboxId);
    });
  }

  updatePodSandboxResources(sandboxId: string, resources: LinuxResources): Promise<void> {
    return this.#locks.run(sandboxId, () =>
      updateSandbox(this.#context, this.#sandbox(sandboxId), resources),
    );
  }

  async listPodSandboxes(): Promise<PodSandboxStatus[]> {
    return [...this.#context.records.sandboxes.values()].map((record) =>
      sandboxStatus(this.#context, record),
    );
  }

  async podSandboxStatus(sandboxId: string): Promise<PodSandboxStatus | undefined> {
    const record = this.#context.records.sandboxes.get(sandboxId);
    return record && sandboxStatus(this.#context, record);
  }

  // Containers

  async createContainer(
    sandboxId: string,
    config: ContainerConfig,
    sandboxConfig: PodSandboxConfig,
  ): Promise<string> {
    const sandbox = this.#sandbox(sandboxId);
    if (sandboxStatus(this.#context, sandbox).state !== "ready") {
      throw new RuntimeError("CreateContainerError", `sandbox ${sandboxId} is not ready`);
    }
    const { name, attempt } = config.metadata;
    return this.#locks.run(`${sandboxId}/${name}/${attempt}`, async () => {
      for (const other of this.#containersOf(sandboxId)) {
        const same = other.config.metadata.name === name && other.config.metadata.attempt === attempt;
        if (same) return other.id;
      }
      return this.#maker.create(sandbox, config, sandboxConfig);
    });
  }

  startContainer(containerId: string): Promise<void> {
    return this.#locks.run(containerId, async () => {
      const record = this.#container(containerId);
      if (record.exit) {
        throw new RuntimeError(
          "RunContainerError",
          `container ${containerId} has ended and cannot start again`,
        );
      }
      if (record.startedAtMs !== undefined) return;
      await this.#context.starting.run(() => startContainer(this.#context, record));
      this.#emit("started", record);
      // Where the start is another process's work, the container's end may have come before its record.
      if (contextOfContainer(this.#context, record).runtime.kind !== "crun")
        await this.#onExitFile(containerId);
    });
  }

  async stopContainer(containerId: string, options: { graceS: number; signal?: string }): Promise<void> {
    const record = this.#context.records.containers.get(containerId);
    if (!record || record.exit) return;
    if (!record.process) {
      // Created, or half started: there is nobody to ask politely.
      await this.#locks.run(containerId, async () => {
        const current = this.#context.records.containers.get(containerId);
        if (current && !current.process) await endProcesses(this.#context, current);
      });
      const current = this.#context.records.containers.get(containerId);
      if (!current?.process) return;
    }
    const current = this.#container(containerId);
    if (options.graceS > 0) {
      const signal = parseSignal(options.signal ?? current.stopSignal) ?? parseSignal("SIGTERM")!;
      const sent = signalProcess(current.process!, signal);
      if (sent && (await this.#ended(containerId, options.graceS * 1000))) return;
    }
    await this.#kill(current);
  }

  async removeContainer(containerId: string): Promise<void> {
    await this.stopContainer(containerId, { graceS: 0 });
    await this.#locks.run(containerId, async () => {
      const record = this.#context.records.containers.get(containerId);
      if (record) await releaseContainer(this.#context, record);
    });
  }

  async listContainers(filter: { sandboxId?: string } = {}): Promise<ContainerStatus[]> {
    const { sandboxId } = filter;
    const records = sandboxId
      ? this.#containersOf(sandboxId)
      : [...this.#context.records.containers.values()];
    return records.map(containerStatus);
  }

  async containerStatus(containerId: string): Promise<ContainerStatus | undefined> {
    const record = this.#context.records.containers.get(containerId);
    return record && containerStatus(record);
  }

  async updateContainerResources(containerId: string, resources: LinuxResources): Promise<void> {
    await updateContainer(this.#context, this.#container(containerId), resources);
  }

  async reopenContainerLog(containerId: string): Promise<void> {
    await reopenLog(this.#context, this.#runningContainer(containerId));
  }

  async containerStats(containerId: string, detail?: UsageDetail): Promise<ContainerStats | undefined> {
    const record = this.#context.records.containers.get(containerId);
    return record && containerStats(this.#context, record, detail);
  }

  async podSandboxStats(sandboxId: string, detail?: UsageDetail): Promise<PodSandboxStats | undefined> {
    const record = this.#context.records.sandboxes.get(sandboxId);
    return record && podStats(this.#context, record, detail);
  }

  async containerDiskUsage(containerId: string): Promise<DiskUsage | undefined> {
    const record = this.#context.records.containers.get(containerId);
    return record && diskUsage(this.#context, record);
  }

  // Streams

  async execSync(
    containerId: string,
    command: readonly string[],
    options: { timeoutMs?: number; outputBytesMax?: number },
  ): Promise<{ exitCode: number; stdout: Buffer; stderr: Buffer }> {
    return this.#exec.sync(this.#runningContainer(containerId), command, options);
  }

  async exec(
    containerId: string,
    options: RuntimeExecOptions,
    streams: RuntimeStreams,
    signal: AbortSignal,
  ): Promise<{ exitCode: number }> {
    return this.#exec.stream(this.#runningContainer(containerId), options, streams, signal);
  }

  async attach(
    containerId: string,
    options: { tty: boolean },
    streams: RuntimeStreams,
    signal: AbortSignal,
  ): Promise<void> {
    await attachContainer(this.#context, this.#runningContainer(containerId), options, streams, signal);
  }

  async portForward(sandboxId: string, port: number): Promise<Duplex> {
    return forwardPort(this.#context, this.#sandbox(sandboxId), port);
  }

  // Endings

  async #onExitFile(containerId: string): Promise<void> {
    const record = this.#context.records.containers.get(containerId);
    // Without a process on record it is being started still, and whoever does that sees it fail.
    if (!record?.process || record.exit) return;
    const exit = readExit(this.#context.layout, containerId);
    if (exit) await this.#recordExit(containerId, exit.code, exit.finishedAtMs);
  }

  async #recordExit(
    containerId: string,
    code: number,
    finishedAtMs: number,
    message?: string,
  ): Promise<void> {
    const { records, cgroups, log } = this.#context;
    const record = records.containers.get(containerId);
    if (!record || record.exit) return;
    const reason = cgroups.oomKilled(record.cgroup)
      ? "OOMKilled"
      : code === 0
        ? "Completed"
        : code === unknownExitCode && message
          ? "Unknown"
          : "Error";
    // The index changes at once, so that two notices of the same end make one event.
    const exit = {
      code,
      // A file's time is the kernel's coarse clock, a few milliseconds behind ours.
      finishedAtMs: Math.max(finishedAtMs, record.startedAtMs ?? 0),
      reason,
      message,
    };
    const saved = records.saveContainer({ ...record, exit });
    const pids = records.sandboxes.get(record.sandboxId)?.config.linux.namespaces.pid ?? "container";
    const hasOwnPids = pids === "container" && record.config.linux.pidNamespaceOf === undefined;
    // Without a PID namespace of its own, what the command started outlives it.
    if (!hasOwnPids) await cgroups.kill(record.cgroup);
    for (const wake of this.#waiters.get(containerId) ?? []) wake();
    this.#waiters.delete(containerId);
    this.#emit("exited", record);
    await saved.catch((error) =>
      log.error({ containerId, error }, "cannot save the record of a container that ended"),
    );
  }

  /** SIGKILL, and the end that must follow. */
  async #kill(record: ContainerRecord): Promise<void> {
    signalProcess(record.process!, "SIGKILL");
    if (await this.#ended(record.id, isAlive(record.process!) ? killMsMax : exitFileMsMax)) return;
    if (isAlive(record.process!)) {
      throw new RuntimeError("Internal", `container ${record.id} does not end after SIGKILL`);
    }
    await this.#recordExit(record.id, killedExitCode, this.#context.clock.now());
  }

  /** Whether the container ended within `timeoutMs`. */
  #ended(containerId: string, timeoutMs: number): Promise<boolean> {
    const record = this.#context.records.containers.get(containerId);
    if (!record || record.exit) return Promise.resolve(true);
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(containerId) ?? new Set();
      this.#waiters.set(containerId, waiters);
      const timer = this.#context.clock.after(timeoutMs, () => {
        waiters.delete(wake);
        resolve(false);
      });
      const wake = () => {
        timer.cancel();
        resolve(true);
      };
      waiters.add(wake);
    });
  }

  #scheduleSweep(): void {
    if (this.#closed) return;
    this.#sweep = this.#context.clock.after(sweepEveryMs, () => {
      void this.#sweepLost().finally(() => this.#scheduleSweep());
    });
  }

  /** Ends the records of containers whose process is gone without an exit file: their conmon was killed too. */
  async #sweepLost(): Promise<void> {
    const lost = [...this.#context.records.containers.values()].filter(
      (record) => !record.exit && record.process && !isAlive(record.process),
    );
    if (lost.length === 0) return;
    await this.#context.clock.sleep(exitFileMsMax);
    for (const { id } of lost) {
      const exit = readExit(this.#context.layout, id);
      const now = this.#context.clock.now();
      if (exit) await this.#recordExit(id, exit.code, exit.finishedAtMs);
      else
        await this.#recordExit(id, unknownExitCode, now, "the container ended unseen: its conmon was gone");
    }
  }

  #emit(type: RuntimeEvent["type"], record: ContainerRecord): void {
    for (const listener of this.#listeners) {
      listener({ type, containerId: record.id, sandboxId: record.sandboxId });
    }
  }

  // Lookups

  #containersOf(sandboxId: string): ContainerRecord[] {
    return [...this.#context.records.containers.values()].filter((record) => record.sandboxId === sandboxId);
  }

  #sandbox(id: string): SandboxRecord {
    const record = this.#context.records.sandboxes.get(id);
    if (!record) throw notFound("sandbox", id);
    return record;
  }

  #container(id: string): ContainerRecord {
    const record = this.#context.records.containers.get(id);
    if (!record) throw notFound("container", id);
    return record;
  }

  #runningContainer(id: string): ContainerRecord {
    const record = this.#container(id);
    if (record.exit || !record.process) {
      throw new RuntimeError("InvalidArgument", `container ${id} is not running`);
    }
    return record;
  }
}
