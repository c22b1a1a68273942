import type { Duplex } from "node:stream";
import type { Clock, Log } from "../../../base/index.ts";
import { openForwardedPort, runRemoteCommand } from "../../../streaming/index.ts";
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
  type RuntimeErrorReason,
  type RuntimeEvent,
  type RuntimeExecOptions,
  type RuntimeHandler,
  type RuntimeStreams,
  type SharedCgroups,
} from "../../contract.ts";
import { purgeCgroups } from "../../oci/cgroups/detect.ts";
import { fromStatus, ignoringNotFound, statusCode } from "../errors.ts";
import {
  containerStatusFromCri,
  containerToCri,
  diskUsageFromCri,
  resourcesToCri,
  sandboxStatusFromCri,
  sandboxToCri,
  statsFromCri,
} from "../translate/index.ts";
import type { Message } from "../wire/index.ts";
import { CriConnection } from "./connection.ts";
import { ownerLabel, phaseEntry, wantedStreams, withoutOwner } from "./entries.ts";
import { RuntimeEvents } from "./events.ts";
import { type Features, featuresOf, requireForContainer, requireForSandbox } from "./features.ts";
import { CriImages } from "./images.ts";
import { CriPods, cgroupAnnotation } from "./pods.ts";

export interface CriRuntimeOptions {
  /** `unix:///run/containerd/containerd.sock` */
  endpoint: string;
  /** Whose pods these are: an engine may serve others beside, and theirs are never listed. */
  owner: string;
  /** Below it are the cgroups of all pods; no root of anybody else's. */
  cgroupRoot: string;
  clock: Clock;
  log: Log;
}

/** What a stop may take beyond its grace: shims and disks can be slow. */
const stopMarginMs = 120_000;
/** As the kubelet's `runtimeRequestTimeout`, twice: a sandbox may have its own image to pull. */
const sandboxMsMax = 240_000;
/** Ids of images by their digest, for engines that tell the one and not the other. */
const imageIdsMax = 1000;

/** Rejects when nobody serves CRI v1 there. */
export async function connectCriRuntime(options: CriRuntimeOptions): Promise<Runtime> {
  const connection = new CriConnection(options.endpoint, options.clock);
  try {
    const [status, version] = await Promise.all([
      connection.runtime("Status", {}),
      connection.runtime("Version", {}),
    ]);
    const runtime = new CriRuntime(connection, options, featuresOf(status, version));
    await runtime.start();
    return runtime;
  } catch (error) {
    connection.close();
    const { code, details, message } = error as { code?: number; details?: string; message: string };
    const why = code === statusCode.unimplemented ? "it does not serve CRI v1" : (details ?? message);
    throw new RuntimeError("Unsupported", `no container runtime at ${options.endpoint}: ${why}`, {
      cause: error,
    });
  }
}

/** Drives another engine by CRI v1: containerd, CRI-O, or Peapod's own. */
class CriRuntime implements Runtime {
  readonly images: CriImages;
  readonly #connection: CriConnection;
  readonly #options: CriRuntimeOptions;
  readonly #features: Features;
  readonly #events: RuntimeEvents;
  /** Which sandbox a container is in: CRI's status of a container does not say. */
  readonly #sandboxOf = new Map<string, string>();
  readonly #imageIds = new Map<string, string>();
  readonly sharedCgroups: SharedCgroups;
  readonly #pods: CriPods;

  constructor(connection: CriConnection, options: CriRuntimeOptions, features: Features) {
    this.#connection = connection;
    this.#options = options;
    this.#features = features;
    this.images = new CriImages(connection);
    this.#pods = new CriPods(connection, options);
    this.sharedCgroups = this.#pods;
    this.#events = new RuntimeEvents({
      connection,
      list: () => this.#entries().then((entries) => entries.map(phaseEntry)),
      clock: options.clock,
      log: options.log,
    });
  }

  start(): Promise<void> {
    return this.#events.start();
  }

  async close(): Promise<void> {
    this.#events.stop();
    this.#connection.close();
  }

  onEvent(listener: (event: RuntimeEvent) => void): () => void {
    return this.#events.onEvent(listener);
  }

  async version(): Promise<{ name: string; version: string }> {
    const { runtimeName, runtimeVersion } = await this.#as(
      "Internal",
      this.#connection.runtime("Version", {}),
    );
    return { name: runtimeName, version: runtimeVersion };
  }

  async status(): Promise<{ ready: boolean; message: string }> {
    const { status } = await this.#as("Internal", this.#connection.runtime("Status", {}));
    const failing = (status?.conditions ?? []).filter((condition) => !condition.status);
    const message = failing.map(({ type, reason, message: why }) => `${type}: ${why || reason}`).join("; ");
    return { ready: failing.length === 0, message };
  }

  async handlers(): Promise<RuntimeHandler[]> {
    return [...this.#features.handlers];
  }

  // Sandboxes

  async runPodSandbox(config: PodSandboxConfig, signal?: AbortSignal): Promise<string> {
    requireForSandbox(this.#features, config);
    const { runtimeHandler } = config;
    const same = await this.#readySandboxOf(config.metadata);
    if (same !== undefined) return same;
    const request = this.#sandboxConfig(config);
    const run = this.#connection.runtime(
      "RunPodSandbox",
      { config: request, ...(runtimeHandler && { runtimeHandler }) },
      { timeoutMs: sandboxMsMax, signal },
    );
    const { podSandboxId } = await this.#as("SandboxError", run);
    // As under any kubelet: the limits of a pod's cgroup are not the engine's to write.
    if (config.linux.resources)
      await this.#as("SandboxError", this.#pods.limit(config.linux.cgroupParent, config.linux.resources));
    return podSandboxId;
  }

  async updatePodSandboxResources(podSandboxId: string, resources: LinuxResources): Promise<void> {
    await this.#as("Internal", this.#pods.update(podSandboxId, resources));
  }

  async podSandboxStats(podSandboxId: string): Promise<PodSandboxStats | undefined> {
    return this.#as("Internal", this.#pods.stats(podSandboxId));
  }

  async stopPodSandbox(podSandboxId: string): Promise<void> {
    const stop = this.#connection.runtime("StopPodSandbox", { podSandboxId }, { timeoutMs: stopMarginMs });
    await this.#as("Internal", ignoringNotFound(stop));
    await this.#events.look();
  }

  async removePodSandbox(podSandboxId: string): Promise<void> {
    await this.stopPodSandbox(podSandboxId);
    const cgroup = await this.#lastInCgroup(podSandboxId);
    const remove = this.#connection.runtime("RemovePodSandbox", { podSandboxId });
    await this.#as("Internal", ignoringNotFound(remove));
    for (const [container, sandbox] of this.#sandboxOf)
      if (sandbox === podSandboxId) this.#sandboxOf.delete(container);
    if (cgroup) await purgeCgroups(`${this.#options.cgroupRoot}/${cgroup}`, this.#options.clock);
  }

  /** The sandbox's pod cgroup, unless the pod's next sandbox is in it already. */
  async #lastInCgroup(podSandboxId: string): Promise<string | undefined> {
    const list = this.#connection.runtime("ListPodSandbox", { filter: { labelSelector: this.#own() } });
    const { items } = await this.#as("Internal", list);
    const cgroup = items.find(({ id }) => id === podSandboxId)?.annotations[cgroupAnnotation];
    const isShared = items.some(
      ({ id, annotations }) => id !== podSandboxId && annotations[cgroupAnnotation] === cgroup,
    );
    return isShared ? undefined : cgroup;
  }

  async listPodSandboxes(): Promise<PodSandboxStatus[]> {
    const list = this.#connection.runtime("ListPodSandbox", { filter: { labelSelector: this.#own() } });
    const { items } = await this.#as("Internal", list);
    // Addresses are in each one's own status alone.
    const all = await Promise.all(items.map(({ id }) => this.podSandboxStatus(id)));
    return all.filter((status) => status !== undefined);
  }

  async podSandboxStatus(podSandboxId: string): Promise<PodSandboxStatus | undefined> {
    const asked = ignoringNotFound(this.#connection.runtime("PodSandboxStatus", { podSandboxId }));
    const status = (await this.#as("Internal", asked))?.status;
    return status ? withoutOwner(sandboxStatusFromCri(status)) : undefined;
  }

  async #readySandboxOf({ uid, attempt }: PodSandboxConfig["metadata"]): Promise<string | undefined> {
    const list = this.#connection.runtime("ListPodSandbox", { filter: { labelSelector: this.#own() } });
    const { items } = await this.#as("SandboxError", list);
    return items.find(
      ({ metadata, state }) =>
        state === "SANDBOX_READY" && metadata?.uid === uid && metadata.attempt === attempt,
    )?.id;
  }

  #sandboxConfig(config: PodSandboxConfig) {
    const labels = { ...config.labels, ...this.#own() };
    const annotations = { ...config.annotations, [cgroupAnnotation]: config.linux.cgroupParent };
    return sandboxToCri({ ...config, labels, annotations }, { cgroupRoot: this.#options.cgroupRoot });
  }

  // Containers

  async createContainer(
    sandboxId: string,
    config: ContainerConfig,
    sandbox: PodSandboxConfig,
  ): Promise<string> {
    requireForContainer(this.#features, config, sandbox);
    const { name, attempt } = config.metadata;
    for (const { id, metadata } of await this.#entries({ sandboxId }))
      if (metadata?.name === name && metadata.attempt === attempt) return id;
    const labels = { ...config.labels, ...this.#own() };
    const create = this.#connection.runtime("CreateContainer", {
      podSandboxId: sandboxId,
      config: containerToCri({ ...config, labels }, sandbox.linux.namespaces),
      sandboxConfig: this.#sandboxConfig(sandbox),
    });
    const { containerId } = await this.#as("CreateContainerError", create);
    this.#sandboxOf.set(containerId, sandboxId);
    return containerId;
  }

  async startContainer(containerId: string): Promise<void> {
    try {
      await this.#connection.runtime("StartContainer", { containerId });
    } catch (error) {
      // An engine may refuse what it has done already.
      if ((await this.containerStatus(containerId))?.state === "running") return;
      await this.#events.look();
      throw fromStatus(error, "RunContainerError");
    }
    await this.#events.look();
  }

  async stopContainer(
    containerId: string,
    { graceS, signal }: { graceS: number; signal?: string },
  ): Promise<void> {
    if (signal !== undefined)
      throw new RuntimeError("Unsupported", "CRI has no stop signal but the container's own");
    const timeout = Math.max(0, Math.ceil(graceS));
    const stop = this.#connection.runtime(
      "StopContainer",
      { containerId, timeout },
      { timeoutMs: timeout * 1000 + stopMarginMs },
    );
    await this.#as("Internal", ignoringNotFound(stop));
    await this.#events.look();
  }

  async removeContainer(containerId: string): Promise<void> {
    // Not every engine removes what runs.
    await this.stopContainer(containerId, { graceS: 0 });
    await this.#as(
      "Internal",
      ignoringNotFound(this.#connection.runtime("RemoveContainer", { containerId })),
    );
    this.#sandboxOf.delete(containerId);
  }

  async listContainers(filter: { sandboxId?: string } = {}): Promise<ContainerStatus[]> {
    const all = (await this.#entries(filter)).map(({ id }) => this.containerStatus(id));
    return (await Promise.all(all)).filter((status) => status !== undefined);
  }

  async containerStatus(containerId: string): Promise<ContainerStatus | undefined> {
    const asked = ignoringNotFound(this.#connection.runtime("ContainerStatus", { containerId }));
    const status = (await this.#as("Internal", asked))?.status;
    if (!status) return undefined;
    const sandboxId =
      this.#sandboxOf.get(status.id) ?? (await this.#entries({ id: status.id }))[0]?.podSandboxId;
    if (sandboxId === undefined) return undefined;
    const known = withoutOwner(containerStatusFromCri(status, { sandboxId }));
    return { ...known, engine: this.#features.engine, imageId: await this.#imageId(known.imageId) };
  }

  /** An engine before CRI 1.29 says which image it is by a digest only. */
  async #imageId(ref: string): Promise<string> {
    if (ref.startsWith("sha256:") || ref === "") return ref;
    const known = this.#imageIds.get(ref);
    if (known !== undefined) return known;
    const image = await this.images.status(ref);
    if (!image) return ref;
    if (this.#imageIds.size >= imageIdsMax) this.#imageIds.delete(this.#imageIds.keys().next().value!);
    this.#imageIds.set(ref, image.id);
    return image.id;
  }

  async #entries(filter: { sandboxId?: string; id?: string } = {}): Promise<Message<"Container">[]> {
    const list = this.#connection.runtime("ListContainers", {
      filter: { labelSelector: this.#own(), podSandboxId: filter.sandboxId, id: filter.id },
    });
    const { containers } = await this.#as("Internal", list);
    for (const { id, podSandboxId } of containers) this.#sandboxOf.set(id, podSandboxId);
    return containers;
  }

  async updateContainerResources(containerId: string, resources: LinuxResources): Promise<void> {
    const linux = resourcesToCri(resources);
    await this.#as("Internal", this.#connection.runtime("UpdateContainerResources", { containerId, linux }));
  }

  async reopenContainerLog(containerId: string): Promise<void> {
    await this.#as("Internal", this.#connection.runtime("ReopenContainerLog", { containerId }));
  }

  async containerStats(containerId: string): Promise<ContainerStats | undefined> {
    try {
      const { stats } = await this.#connection.runtime("ContainerStats", { containerId });
      return stats ? statsFromCri(stats) : undefined;
    } catch (error) {
      // Engines word it differently that what does not run has none.
      if ((await this.containerStatus(containerId))?.state !== "running") return undefined;
      throw fromStatus(error, "Internal");
    }
  }

  async containerDiskUsage(containerId: string): Promise<DiskUsage | undefined> {
    const asked = ignoringNotFound(this.#connection.runtime("ContainerStats", { containerId }));
    const stats = (await this.#as("Internal", asked))?.stats;
    return stats ? diskUsageFromCri(stats) : undefined;
  }

  // Streams

  async execSync(
    containerId: string,
    command: readonly string[],
    { timeoutMs, outputBytesMax }: { timeoutMs?: number; outputBytesMax?: number },
  ): Promise<{ exitCode: number; stdout: Buffer; stderr: Buffer }> {
    const timeout = timeoutMs === undefined ? 0 : Math.ceil(timeoutMs / 1000);
    const run = this.#connection.runtime(
      "ExecSync",
      { containerId, cmd: command, timeout },
      // The engine is the one to kill it; CRI counts in whole seconds.
      { timeoutMs: timeoutMs === undefined ? Number.POSITIVE_INFINITY : timeout * 1000 + stopMarginMs },
    );
    const { exitCode, stdout, stderr } = await this.#as("Internal", run);
    return {
      exitCode,
      stdout: stdout.subarray(0, outputBytesMax),
      stderr: stderr.subarray(0, outputBytesMax),
    };
  }

  async exec(
    containerId: string,
    { command, tty }: RuntimeExecOptions,
    streams: RuntimeStreams,
    signal: AbortSignal,
  ): Promise<{ exitCode: number }> {
    const request = { containerId, cmd: command, tty, ...wantedStreams(streams, tty) };
    const { url } = await this.#as("Internal", this.#connection.runtime("Exec", request));
    return runRemoteCommand(url, { ...streams, tty }, signal);
  }

  async attach(
    containerId: string,
    { tty }: { tty: boolean },
    streams: RuntimeStreams,
    signal: AbortSignal,
  ): Promise<void> {
    const request = { containerId, tty, ...wantedStreams(streams, tty) };
    const { url } = await this.#as("Internal", this.#connection.runtime("Attach", request));
    await runRemoteCommand(url, { ...streams, tty }, signal);
  }

  async portForward(podSandboxId: string, port: number): Promise<Duplex> {
    const { url } = await this.#as(
      "Internal",
      this.#connection.runtime("PortForward", { podSandboxId, port: [port] }),
    );
    return openForwardedPort(url, port);
  }

  #own(): Record<string, string> {
    return { [ownerLabel]: this.#options.owner };
  }

  async #as<T>(reason: RuntimeErrorReason, call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      if (error instanceof RuntimeError || (error as Error).name === "AbortError") throw error;
      throw fromStatus(error, reason);
    }
  }
}
