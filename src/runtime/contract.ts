import type { Duplex, Readable, Writable } from "node:stream";
import type { CgroupUsage, UsageDetail } from "./usage.ts";

export type * from "./usage.ts";

/**
 * The container engine, in the shape of CRI v1 (`k8s.io/cri-api/pkg/apis/runtime/v1`): what a node agent
 * needs to run pods. `oci/` is the default engine, `cri/` drives another one over gRPC, `simulated/` runs nothing.
 *
 * - Every call may be repeated: running what runs, stopping what stopped, removing what is gone succeed.
 * - What an engine made survives the death of the agent: a new engine on the same directory lists it.
 * - A failure is a {@link RuntimeError} with a reason that the kubelet shows.
 */
export interface Runtime {
  version(): Promise<{ name: string; version: string }>;

  /** Makes the pod's shared environment: network, IPC and UTS namespaces, cgroup, address. Returns its id. */
  runPodSandbox(config: PodSandboxConfig, signal?: AbortSignal): Promise<string>;
  /** Kills what still runs inside and takes the network away; the sandbox stays listed as not ready. */
  stopPodSandbox(sandboxId: string): Promise<void>;
  removePodSandbox(sandboxId: string): Promise<void>;
  /** Changes the limits of the pod's own cgroup; what is not named stays. */
  updatePodSandboxResources(sandboxId: string, resources: LinuxResources): Promise<void>;
  listPodSandboxes(): Promise<PodSandboxStatus[]>;
  podSandboxStatus(sandboxId: string): Promise<PodSandboxStatus | undefined>;

  createContainer(sandboxId: string, config: ContainerConfig, sandbox: PodSandboxConfig): Promise<string>;
  startContainer(containerId: string): Promise<void>;
  /** The stop signal, then SIGKILL after `graceS`; resolves when the container has ended. */
  stopContainer(containerId: string, options: { graceS: number; signal?: string }): Promise<void>;
  /** Ends it if it runs, and forgets it; its log file stays for the agent to remove. */
  removeContainer(containerId: string): Promise<void>;
  listContainers(filter?: { sandboxId?: string }): Promise<ContainerStatus[]>;
  containerStatus(containerId: string): Promise<ContainerStatus | undefined>;
  /** What is not named stays; a quota of -1 is none. */
  updateContainerResources(containerId: string, resources: LinuxResources): Promise<void>;
  reopenContainerLog(containerId: string): Promise<void>;

  /** Runs to its end, keeping at most `outputBytesMax` of each stream. Past `timeoutMs` it is killed: {@link RuntimeError} `DeadlineExceeded`. */
  execSync(
    containerId: string,
    command: readonly string[],
    options: { timeoutMs?: number; outputBytesMax?: number },
  ): Promise<{ exitCode: number; stdout: Buffer; stderr: Buffer }>;
  exec(
    containerId: string,
    options: RuntimeExecOptions,
    streams: RuntimeStreams,
    signal: AbortSignal,
  ): Promise<{ exitCode: number }>;
  /**
   * Joins the streams of the container's first process until it ends, or the signal. The end of `stdin` ends the
   * process' own input if that is for one client (`stdinOnce`); else it ends the call, and the process goes on.
   */
  attach(
    containerId: string,
    options: { tty: boolean },
    streams: RuntimeStreams,
    signal: AbortSignal,
  ): Promise<void>;
  /** A TCP connection to the sandbox's localhost. */
  portForward(sandboxId: string, port: number): Promise<Duplex>;

  /** Undefined for what does not run. */
  containerStats(containerId: string, detail?: UsageDetail): Promise<ContainerStats | undefined>;
  /** Of the pod as a whole; undefined for a sandbox that is not ready. */
  podSandboxStats(sandboxId: string, detail?: UsageDetail): Promise<PodSandboxStats | undefined>;
  /** What a container has written beside its image. It may take a walk through all its files. */
  containerDiskUsage(containerId: string): Promise<DiskUsage | undefined>;

  /** Where the cgroups that pods share are the agent's to limit: on the machine that it runs on itself. */
  readonly sharedCgroups?: SharedCgroups;

  /** Containers that started or ended, as it happens; calls never overlap. Returns the way to stop. */
  onEvent(listener: (event: RuntimeEvent) => void): () => void;

  images: ImageService;
  /** Whether the engine and the network are able to run pods, for the node's Ready condition. */
  status(): Promise<{ ready: boolean; message: string }>;
  /** What pods can be run by; the one named `""` runs those that ask for none. */
  handlers(): Promise<RuntimeHandler[]>;
  /** Stops the engine's own loops; containers run on. */
  close(): Promise<void>;
}

/** The cgroups above the pods': `kubepods`, `kubepods/burstable`, `kubepods/besteffort`. */
export interface SharedCgroups {
  /** What is not named stays. */
  limit(cgroup: string, resources: LinuxResources): Promise<void>;
  /** Undefined for one that is not there. */
  usage(cgroup: string): Promise<CgroupUsage | undefined>;
}

export interface ImageService {
  /** The image that `name` (a reference, a digest or an image id) stands for here, if present. */
  status(name: string): Promise<Image | undefined>;
  /** Fetches from the registry. Failures: {@link RuntimeError} `ErrImagePull` with a message for the event, `InvalidImageName`. */
  pull(name: string, options: { auth?: RegistryAuth[]; signal?: AbortSignal }): Promise<Image>;
  list(): Promise<Image[]>;
  remove(name: string): Promise<void>;
  /** Where images are kept, for the agent's garbage collection. */
  fsUsage(): Promise<ImageFsUsage>;
}

export interface ImageFsUsage {
  usedBytes: number;
  capacityBytes: number;
  availableBytes: number;
  /** A folder on that file system, where it is one of this machine's. */
  folder?: string;
}

export interface Image {
  /** `sha256:…` of the image's config. */
  id: string;
  /** Canonical: `docker.io/library/nginx:latest`. */
  repoTags: string[];
  /** `docker.io/library/nginx@sha256:…`. */
  repoDigests: string[];
  sizeBytes: number;
  /** The engine needs it itself: it is no garbage. */
  pinned?: boolean;
  /** From the image's config; a numeric user, or a name to look up in the image. */
  user: { uid?: number; name?: string };
  config: ImageConfig;
}

/** The part of the OCI image config that decides what a container runs. */
export interface ImageConfig {
  Entrypoint?: string[];
  Cmd?: string[];
  Env?: string[];
  WorkingDir?: string;
  User?: string;
  StopSignal?: string;
  Volumes?: Record<string, object>;
  ExposedPorts?: Record<string, object>;
  Labels?: Record<string, string>;
}

export interface RegistryAuth {
  /** `index.docker.io`, `registry.example:5000`, `registry.example/team`. */
  registry: string;
  username?: string;
  password?: string;
  identityToken?: string;
}

/** As CRI's `RuntimeHandler`: a name that a RuntimeClass gives, and what pods may ask for under it. */
export interface RuntimeHandler {
  name: string;
  features: { recursiveReadOnlyMounts: boolean; userNamespaces: boolean };
}

export interface PodSandboxConfig {
  metadata: { name: string; namespace: string; uid: string; attempt: number };
  hostname: string;
  /** Where container logs go: `/var/log/pods/NAMESPACE_NAME_UID`-shaped. */
  logDirectory: string;
  dns: { servers: string[]; searches: string[]; options: string[] };
  portMappings: PortMapping[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** One of {@link Runtime.handlers}; the default one when absent. */
  runtimeHandler?: string;
  linux: {
    /** Relative to the engine's root: `kubepods/burstable/podUID`. */
    cgroupParent: string;
    sysctls: Record<string, string>;
    namespaces: NamespaceOptions;
    privileged: boolean;
    seccomp?: SeccompProfile;
    /** The pod-level limits written to the pod's cgroup. */
    resources?: LinuxResources;
  };
}

export interface NamespaceOptions {
  network: "pod" | "node";
  ipc: "pod" | "node";
  /** `pod`: shareProcessNamespace. */
  pid: "container" | "pod" | "node";
  /** A user namespace, with the range of host ids that stands for 0… inside. */
  user?: { hostId: number; length: number };
}

export interface PortMapping {
  protocol: "TCP" | "UDP" | "SCTP";
  containerPort: number;
  hostPort: number;
  hostIp?: string;
}

export interface SeccompProfile {
  type: "RuntimeDefault" | "Unconfined" | "Localhost";
  /** For Localhost: an absolute path on this host. */
  path?: string;
}

export interface ContainerConfig {
  metadata: { name: string; attempt: number };
  /** The image's id, as `ImageService.status` gave it. */
  imageId: string;
  /** What the user wrote, for status. */
  imageName: string;
  /** Already merged with the image's entrypoint and cmd by the engine when absent. */
  command?: string[];
  args?: string[];
  workingDir?: string;
  /** The container's own variables; the engine puts the image's before them. */
  env: { name: string; value: string }[];
  mounts: Mount[];
  devices?: { hostPath: string; containerPath: string; permissions: string }[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Relative to the sandbox's logDirectory: `NAME/ATTEMPT.log`. */
  logPath: string;
  stdin: boolean;
  stdinOnce: boolean;
  tty: boolean;
  /** Overrides the image's. */
  stopSignal?: string;
  linux: {
    resources: LinuxResources;
    security: SecurityContext;
    /**
     * The container (of the same sandbox, and running) whose PID namespace it joins, where containers have their own;
     * CRI's `NamespaceMode.TARGET`. The namespace ends with that container, and this one with it.
     */
    pidNamespaceOf?: string;
  };
}

export interface SecurityContext {
  privileged: boolean;
  /** Numeric ids; a name is resolved in the image's /etc/passwd. */
  runAsUser?: number;
  runAsUsername?: string;
  runAsGroup?: number;
  supplementalGroups: number[];
  supplementalGroupsPolicy?: "Merge" | "Strict";
  readOnlyRootfs: boolean;
  noNewPrivileges: boolean;
  capabilities: { add: string[]; drop: string[] };
  seccomp?: SeccompProfile;
  procMount: "Default" | "Unmasked";
  apparmorProfile?: string;
  selinux?: { user?: string; role?: string; type?: string; level?: string };
}

export interface Mount {
  containerPath: string;
  /** What is not there when the container is made becomes a directory. */
  hostPath: string;
  readOnly: boolean;
  recursiveReadOnly?: boolean;
  propagation: "private" | "hostToContainer" | "bidirectional";
  /** An image's root filesystem (image volumes): its id instead of hostPath. */
  imageId?: string;
  /** The part of that image which is mounted; all of it where nothing is said. */
  imageSubPath?: string;
}

/** Absent means no limit. */
export interface LinuxResources {
  cpuShares?: number;
  cpuQuotaUs?: number;
  cpuPeriodUs?: number;
  memoryLimitBytes?: number;
  memorySwapLimitBytes?: number;
  pidsMax?: number;
  oomScoreAdj?: number;
  cpusetCpus?: string;
  hugepages?: { pageSize: string; limitBytes: number }[];
  /** When memory runs out, all of its processes are killed and not one of them. cgroup v2 alone can. */
  oomKillsAll?: true;
}

export interface PodSandboxStatus {
  id: string;
  metadata: PodSandboxConfig["metadata"];
  state: "ready" | "notReady";
  createdAtMs: number;
  /** The pod's addresses; empty on the host's network. */
  ips: string[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  runtimeHandler?: string;
}

export interface ContainerStatus {
  id: string;
  /** Whose id it is, where that is not Peapod's own engine: `containerd`. */
  engine?: string;
  sandboxId: string;
  metadata: ContainerConfig["metadata"];
  state: "created" | "running" | "exited" | "unknown";
  createdAtMs: number;
  startedAtMs?: number;
  finishedAtMs?: number;
  exitCode?: number;
  /** `Completed`, `Error`, `OOMKilled`, `StartError`. */
  reason?: string;
  message?: string;
  imageName: string;
  imageId: string;
  /** `docker.io/library/nginx@sha256:…`, as the pod's status shows it. */
  imageRef: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Absolute. */
  logPath: string;
  mounts: Mount[];
  pid?: number;
  user?: { uid: number; gid: number; supplementalGroups: number[] };
}

export interface RuntimeExecOptions {
  command: readonly string[];
  tty: boolean;
}
export interface RuntimeStreams {
  stdin?: Readable;
  stdout?: Writable;
  stderr?: Writable;
  resize?: AsyncIterable<{ columns: number; rows: number }>;
}

export interface ContainerStats extends CgroupUsage {
  containerId: string;
  atMs: number;
}

export interface PodSandboxStats extends CgroupUsage {
  sandboxId: string;
  atMs: number;
  /** Of the pod's own network namespace, loopback left out; absent on the host's network. */
  interfaces?: InterfaceStats[];
}

/** What went through a network interface, counted since it was made. */
export interface InterfaceStats {
  name: string;
  rxBytes: number;
  rxErrors: number;
  txBytes: number;
  txErrors: number;
  rxPackets?: number;
  txPackets?: number;
  rxDropped?: number;
  txDropped?: number;
}

export interface DiskUsage {
  usedBytes: number;
  inodesUsed?: number;
}

export interface RuntimeEvent {
  type: "started" | "exited";
  containerId: string;
  sandboxId: string;
}

/** A failure that the kubelet shows as a container's waiting or terminated reason, and in an event. */
export class RuntimeError extends Error {
  override name = "RuntimeError";
  readonly reason: RuntimeErrorReason;
  constructor(reason: RuntimeErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export type RuntimeErrorReason =
  | "NotFound"
  | "InvalidArgument"
  | "InvalidImageName"
  | "ErrImagePull"
  | "RegistryUnavailable"
  | "CreateContainerError"
  | "RunContainerError"
  | "SandboxError"
  | "DeadlineExceeded"
  | "Unsupported"
  | "Internal";
