import { join } from "node:path";
import { type Duplex, PassThrough } from "node:stream";
import type { Clock, Random, Timer } from "../../base/index.ts";
import {
  type CgroupUsage,
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
} from "../contract.ts";
import type { Behaviour, Behaviours, ExecResult } from "./behaviour.ts";
import { SimulatedImages } from "./images.ts";
import { appendLog, writeMessage } from "./output.ts";
import { noUsage, sumUsage } from "./stats.ts";

export interface SimulatedOptions {
  clock: Clock;
  random: Random;
  behaviours?: Behaviours;
  /** By default any image can be pulled. */
  images?: SimulatedImages;
  /** The first three numbers of the pods' addresses. */
  addressPrefix?: string;
}

interface Container {
  status: ContainerStatus;
  config: ContainerConfig;
  behaviour: Behaviour;
  timer?: Timer;
  ended: Promise<number>;
  onEnd: (exitCode: number) => void;
}

interface Sandbox {
  status: PodSandboxStatus;
  config: PodSandboxConfig;
}

/** As conmon and containerd: the end of what a signal killed is 128 + its number. */
const exitCodeTerm = 143;
const exitCodeKill = 137;

/**
 * An engine that runs nothing: containers "run" until they are told otherwise, by their {@link Behaviour} or by
 * {@link exit}. It outlives a kubelet, as a real engine does: a second one on the same engine finds all that ran.
 */
export class SimulatedRuntime implements Runtime {
  readonly images: SimulatedImages;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #addressPrefix: string;
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #containers = new Map<string, Container>();
  readonly #listeners = new Set<(event: RuntimeEvent) => void>();
  #addresses = 1;
  behaviours: Behaviours;
  /** Set to make the next sandboxes fail. */
  sandboxError: RuntimeError | undefined;
  /** Resources as last updated, by the id of a container or sandbox. */
  readonly resources = new Map<string, LinuxResources>();
  /** Every update of resources, in order. */
  readonly updates: { id: string; resources: LinuxResources }[] = [];
  /** Set to make updates of resources fail. */
  updateError: RuntimeError | undefined;
  /** What containers use, by id. */
  readonly usage = new Map<string, Partial<CgroupUsage>>();

  constructor(options: SimulatedOptions) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.behaviours = options.behaviours ?? (() => ({}));
    this.images = options.images ?? new SimulatedImages({ anyName: true });
    this.#addressPrefix = options.addressPrefix ?? "10.88.0";
  }

  async version() {
    return { name: "simulated", version: "1" };
  }

  async status() {
    return { ready: true, message: "" };
  }

  async handlers(): Promise<RuntimeHandler[]> {
    const features = { recursiveReadOnlyMounts: true, userNamespaces: true };
    return [
      { name: "", features },
      { name: "simulated", features },
    ];
  }

  async close(): Promise<void> {
    this.#listeners.clear();
  }

  onEvent(listener: (event: RuntimeEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // --- sandboxes

  async runPodSandbox(config: PodSandboxConfig): Promise<string> {
    if (this.sandboxError) throw this.sandboxError;
    const { runtimeHandler } = config;
    if (runtimeHandler && runtimeHandler !== "simulated")
      throw new RuntimeError("InvalidArgument", `no runtime for "${runtimeHandler}" is configured`);
    const { uid, attempt } = config.metadata;
    for (const { status } of this.#sandboxes.values()) {
      const isSame = status.metadata.uid === uid && status.metadata.attempt === attempt;
      if (isSame && status.state === "ready") return status.id;
    }
    const id = this.#newId();
    const ips =
      config.linux.namespaces.network === "node" ? [] : [`${this.#addressPrefix}.${++this.#addresses}`];
    this.#sandboxes.set(id, {
      config,
      status: {
        id,
        metadata: config.metadata,
        state: "ready",
        createdAtMs: this.#clock.now(),
        ips,
        labels: config.labels,
        annotations: config.annotations,
        ...(runtimeHandler && { runtimeHandler }),
      },
    });
    return id;
  }

  async stopPodSandbox(sandboxId: string): Promise<void> {
    const sandbox = this.#sandboxes.get(sandboxId);
    if (!sandbox) return;
    for (const container of this.#in(sandboxId)) this.#end(container, exitCodeKill);
    sandbox.status = { ...sandbox.status, state: "notReady" };
  }

  async removePodSandbox(sandboxId: string): Promise<void> {
    await this.stopPodSandbox(sandboxId);
    for (const container of this.#in(sandboxId)) this.#containers.delete(container.status.id);
    this.#sandboxes.delete(sandboxId);
  }

  async listPodSandboxes(): Promise<PodSandboxStatus[]> {
    return [...this.#sandboxes.values()].map(({ status }) => status);
  }

  async podSandboxStatus(sandboxId: string): Promise<PodSandboxStatus | undefined> {
    return this.#sandboxes.get(sandboxId)?.status;
  }

  // --- containers

  async createContainer(
    sandboxId: string,
    config: ContainerConfig,
    sandbox: PodSandboxConfig,
  ): Promise<string> {
    if (this.#sandboxes.get(sandboxId)?.status.state !== "ready") {
      throw new RuntimeError("NotFound", `sandbox "${sandboxId}" is not ready`);
    }
    const { name, attempt } = config.metadata;
    const same = this.#in(sandboxId).find(
      ({ status }) => status.metadata.name === name && status.metadata.attempt === attempt,
    );
    if (same) return same.status.id;
    const image = await this.images.status(config.imageId);
    if (!image) throw new RuntimeError("NotFound", `image "${config.imageId}" not found`);
    const { pidNamespaceOf } = config.linux;
    if (pidNamespaceOf && this.#containers.get(pidNamespaceOf)?.status.state !== "running")
      throw new RuntimeError("CreateContainerError", `target container "${pidNamespaceOf}" is not running`);
    const behaviour = this.behaviours(config, sandbox.metadata);
    if (behaviour.createError) {
      throw new RuntimeError(
        behaviour.createError.reason ?? "CreateContainerError",
        behaviour.createError.message,
      );
    }
    const id = this.#newId();
    let onEnd: (exitCode: number) => void = () => {};
    const ended = new Promise<number>((resolve) => {
      onEnd = resolve;
    });
    const status: ContainerStatus = {
      id,
      sandboxId,
      metadata: config.metadata,
      state: "created",
      createdAtMs: this.#clock.now(),
      imageName: image.repoTags[0] ?? config.imageName,
      imageId: image.id,
      imageRef: image.repoDigests[0] ?? image.id,
      labels: config.labels,
      annotations: config.annotations,
      logPath: join(sandbox.logDirectory, config.logPath),
      mounts: config.mounts,
      user: {
        uid: config.linux.security.runAsUser ?? 0,
        gid: config.linux.security.runAsGroup ?? 0,
        supplementalGroups: config.linux.security.supplementalGroups,
      },
    };
    this.#containers.set(id, { status, config, behaviour, ended, onEnd });
    return id;
  }

  async startContainer(containerId: string): Promise<void> {
    const container = this.#get(containerId);
    if (container.status.state === "running") return;
    const { behaviour } = container;
    if (behaviour.startError) {
      const { message, exitCode = 128 } = behaviour.startError;
      this.#set(container, {
        state: "exited",
        exitCode,
        reason: "StartError",
        message,
        startedAtMs: 0,
        finishedAtMs: this.#clock.now(),
      });
      container.onEnd(exitCode);
      throw new RuntimeError("RunContainerError", message);
    }
    this.#set(container, { state: "running", startedAtMs: this.#clock.now(), pid: 1 });
    this.writeLog(containerId, behaviour.output ?? "");
    if (behaviour.exitAfterMs !== undefined) {
      container.timer = this.#clock.after(behaviour.exitAfterMs, () =>
        this.#end(container, behaviour.exitCode ?? 0, behaviour.reason),
      );
    }
    this.#tell(container, "started");
  }

  async stopContainer(containerId: string, { graceS }: { graceS: number; signal?: string }): Promise<void> {
    const container = this.#containers.get(containerId);
    if (container?.status.state !== "running") return;
    const { onStopSignal = "end", stopAfterMs = 0, stopExitCode = exitCodeTerm } = container.behaviour;
    const killMs = graceS * 1_000;
    const endMs = onStopSignal === "ignore" ? killMs : Math.min(stopAfterMs, killMs);
    const isKilled = graceS === 0 || onStopSignal === "ignore" || stopAfterMs > killMs;
    const exitCode = isKilled ? exitCodeKill : stopExitCode;
    if (endMs === 0) this.#end(container, exitCode);
    else this.#clock.after(endMs, () => this.#end(container, exitCode));
    await container.ended;
  }

  async removeContainer(containerId: string): Promise<void> {
    const container = this.#containers.get(containerId);
    if (!container) return;
    this.#end(container, exitCodeKill);
    this.#containers.delete(containerId);
  }

  async listContainers(filter?: { sandboxId?: string }): Promise<ContainerStatus[]> {
    const all = [...this.#containers.values()].map(({ status }) => status);
    return filter?.sandboxId ? all.filter(({ sandboxId }) => sandboxId === filter.sandboxId) : all;
  }

  async containerStatus(containerId: string): Promise<ContainerStatus | undefined> {
    return this.#containers.get(containerId)?.status;
  }

  async updateContainerResources(containerId: string, resources: LinuxResources): Promise<void> {
    this.#get(containerId);
    this.#update(containerId, resources);
  }

  async updatePodSandboxResources(sandboxId: string, resources: LinuxResources): Promise<void> {
    if (!this.#sandboxes.has(sandboxId))
      throw new RuntimeError("NotFound", `sandbox "${sandboxId}" not found`);
    this.#update(sandboxId, resources);
  }

  #update(id: string, resources: LinuxResources): void {
    if (this.updateError) throw this.updateError;
    this.updates.push({ id, resources });
    this.resources.set(id, { ...this.resources.get(id), ...resources });
  }

  async reopenContainerLog(containerId: string): Promise<void> {
    this.#get(containerId);
  }

  async containerStats(containerId: string): Promise<ContainerStats | undefined> {
    const container = this.#containers.get(containerId);
    if (container?.status.state !== "running") return undefined;
    return { containerId, atMs: this.#clock.now(), ...noUsage, ...this.usage.get(containerId) };
  }

  async podSandboxStats(sandboxId: string): Promise<PodSandboxStats | undefined> {
    if (this.#sandboxes.get(sandboxId)?.status.state !== "ready") return undefined;
    const running = this.#in(sandboxId).filter(({ status }) => status.state === "running");
    const usages = running.map(({ status }) => ({ ...noUsage, ...this.usage.get(status.id) }));
    return { sandboxId, atMs: this.#clock.now(), ...sumUsage(usages), interfaces: [] };
  }

  async containerDiskUsage(containerId: string): Promise<DiskUsage | undefined> {
    return this.#containers.has(containerId) ? { usedBytes: 0, inodesUsed: 0 } : undefined;
  }

  // --- streams

  async execSync(
    containerId: string,
    command: readonly string[],
    options: { timeoutMs?: number; outputBytesMax?: number },
  ): Promise<{ exitCode: number; stdout: Buffer; stderr: Buffer }> {
    const container = this.#running(containerId);
    const result: ExecResult = (await container.behaviour.exec?.(command)) ?? { exitCode: 0 };
    if (result.hangs) {
      if (options.timeoutMs === undefined) await container.ended;
      else await this.#clock.sleep(options.timeoutMs);
      throw new RuntimeError("DeadlineExceeded", `command "${command.join(" ")}" timed out`);
    }
    return {
      exitCode: result.exitCode,
      stdout: Buffer.from(result.stdout ?? "").subarray(0, options.outputBytesMax),
      stderr: Buffer.from(result.stderr ?? "").subarray(0, options.outputBytesMax),
    };
  }

  async exec(
    containerId: string,
    options: RuntimeExecOptions,
    streams: RuntimeStreams,
  ): Promise<{ exitCode: number }> {
    const result: ExecResult = (await this.#running(containerId).behaviour.exec?.(options.command)) ?? {
      exitCode: 0,
    };
    streams.stdout?.end(result.stdout ?? "");
    streams.stderr?.end(result.stderr ?? "");
    return { exitCode: result.exitCode };
  }

  async attach(
    containerId: string,
    _options: { tty: boolean },
    streams: RuntimeStreams,
    signal: AbortSignal,
  ): Promise<void> {
    const container = this.#running(containerId);
    const aborted = new Promise<void>((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    await Promise.race([container.ended, aborted]);
    streams.stdout?.end();
    streams.stderr?.end();
  }

  /** Echoes what it is sent. */
  async portForward(sandboxId: string): Promise<Duplex> {
    if (!this.#sandboxes.has(sandboxId))
      throw new RuntimeError("NotFound", `sandbox "${sandboxId}" not found`);
    return new PassThrough();
  }

  // --- for tests

  /** Ends a running container. */
  exit(containerId: string, exitCode: number, options: { reason?: string } = {}): void {
    this.#end(this.#get(containerId), exitCode, options.reason);
  }

  /** The newest container of a name, over all pods or in one. */
  find(name: string, pod?: string): ContainerStatus | undefined {
    return [...this.#containers.values()]
      .filter(({ status }) => status.metadata.name === name)
      .filter(
        ({ status }) =>
          pod === undefined || this.#sandboxes.get(status.sandboxId)?.config.metadata.name === pod,
      )
      .at(-1)?.status;
  }

  /** What a container was made with. */
  configOf(containerId: string): ContainerConfig {
    return this.#get(containerId).config;
  }

  sandboxConfigOf(sandboxId: string): PodSandboxConfig {
    return this.#sandboxes.get(sandboxId)!.config;
  }

  /** A sandbox dies with all that is in it, as when its network is lost. */
  killSandbox = (sandboxId: string): void => void this.stopPodSandbox(sandboxId);

  /** Appends lines to a container's log, in CRI's format. */
  writeLog(containerId: string, output: string, stream: "stdout" | "stderr" = "stdout"): void {
    appendLog(this.#get(containerId).status, output, stream, this.#clock.now());
  }

  #end(container: Container, exitCode: number, reason?: string): void {
    if (container.status.state !== "running") return;
    container.timer?.cancel();
    const { terminationMessage } = container.behaviour;
    if (terminationMessage !== undefined) writeMessage(container.status, terminationMessage);
    this.#set(container, {
      state: "exited",
      exitCode,
      reason: reason ?? (exitCode === 0 ? "Completed" : "Error"),
      finishedAtMs: this.#clock.now(),
      pid: undefined,
    });
    container.onEnd(exitCode);
    this.#tell(container, "exited");
  }

  #set(container: Container, change: Partial<ContainerStatus>): void {
    container.status = { ...container.status, ...change };
  }

  #tell({ status }: Container, type: RuntimeEvent["type"]): void {
    for (const listener of this.#listeners)
      listener({ type, containerId: status.id, sandboxId: status.sandboxId });
  }

  #in(sandboxId: string): Container[] {
    return [...this.#containers.values()].filter(({ status }) => status.sandboxId === sandboxId);
  }

  #get(containerId: string): Container {
    const container = this.#containers.get(containerId);
    if (!container) throw new RuntimeError("NotFound", `container "${containerId}" not found`);
    return container;
  }

  #running(containerId: string): Container {
    const container = this.#get(containerId);
    if (container.status.state === "running") return container;
    throw new RuntimeError("NotFound", `container "${containerId}" is not running`);
  }

  #newId = (): string => `${this.#random.uuid()}${this.#random.uuid()}`.replaceAll("-", "");
}
