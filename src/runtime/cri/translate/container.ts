import {
  type ContainerConfig,
  type ContainerStatus,
  type Mount,
  type NamespaceOptions,
  RuntimeError,
} from "../../contract.ts";
import type { Message, Sparse } from "../wire/index.ts";
import { resourcesFromCri, resourcesToCri } from "./resources.ts";
import {
  idMappingsToCri,
  namespacesFromCri,
  pidTargetFromCri,
  securityFromCri,
  securityToCri,
} from "./security.ts";
import { fromNs, toNs } from "./time.ts";

type Propagation = Message<"Mount">["propagation"];
type CriSignal = Message<"ContainerConfig">["stopSignal"];

const propagations = {
  private: "PROPAGATION_PRIVATE",
  hostToContainer: "PROPAGATION_HOST_TO_CONTAINER",
  bidirectional: "PROPAGATION_BIDIRECTIONAL",
} as const satisfies Record<Mount["propagation"], Propagation>;

const states = {
  created: "CONTAINER_CREATED",
  running: "CONTAINER_RUNNING",
  exited: "CONTAINER_EXITED",
  unknown: "CONTAINER_UNKNOWN",
} as const satisfies Record<ContainerStatus["state"], Message<"ContainerStatus">["state"]>;

const keyOf = <K extends string, V>(
  table: Readonly<Record<K, V>>,
  value: unknown,
  otherwise: NoInfer<K>,
): K => (Object.keys(table) as K[]).find((key) => table[key] === value) ?? otherwise;

export function containerToCri(
  config: ContainerConfig,
  namespaces: NamespaceOptions,
): Sparse<"ContainerConfig"> {
  return {
    metadata: config.metadata,
    image: { image: config.imageId, userSpecifiedImage: config.imageName },
    command: config.command,
    args: config.args,
    workingDir: config.workingDir,
    envs: config.env.map(({ name: key, value }) => ({ key, value: Buffer.from(value) })),
    mounts: config.mounts.map((mount) => mountToCri(mount, namespaces.user)),
    devices: config.devices,
    labels: config.labels,
    annotations: config.annotations,
    logPath: config.logPath,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    tty: config.tty,
    stopSignal: signalToCri(config.stopSignal),
    linux: {
      resources: resourcesToCri(config.linux.resources),
      securityContext: securityToCri(config.linux.security, namespaces, config.linux.pidNamespaceOf),
    },
  };
}

/** `imageId`: what `config.image` stands for on this engine. Throws `InvalidArgument` for what the contract cannot say. */
export function containerFromCri(config: Message<"ContainerConfig">, imageId: string): ContainerConfig {
  if (!config.metadata?.name)
    throw new RuntimeError("InvalidArgument", "a container needs metadata with a name");
  if (config.CDIDevices.length > 0)
    throw new RuntimeError("InvalidArgument", "CDI devices are not supported");
  const { user } = namespacesFromCri(config.linux?.securityContext?.namespaceOptions ?? null);
  requireMappingsOf(user, config.mounts);
  const pidNamespaceOf = pidTargetFromCri(config.linux?.securityContext?.namespaceOptions ?? null);
  return {
    metadata: config.metadata,
    imageId,
    imageName: config.image?.userSpecifiedImage || config.image!.image,
    ...(config.command.length > 0 && { command: config.command }),
    ...(config.args.length > 0 && { args: config.args }),
    ...(config.workingDir && { workingDir: config.workingDir }),
    env: config.envs.map(({ key, value }) => ({ name: key, value: value.toString() })),
    mounts: config.mounts.map(mountFromCri),
    ...(config.devices.length > 0 && { devices: config.devices }),
    labels: config.labels,
    annotations: config.annotations,
    logPath: config.logPath,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    tty: config.tty,
    ...(config.stopSignal !== "RUNTIME_DEFAULT" && { stopSignal: signalFromCri(config.stopSignal) }),
    linux: {
      resources: resourcesFromCri(config.linux?.resources ?? null),
      security: securityFromCri(config.linux?.securityContext ?? null),
      ...(pidNamespaceOf !== undefined && { pidNamespaceOf }),
    },
  };
}

/** `SIGRTMIN+3` is `SIGRTMINPLUS3` there. */
function signalToCri(signal: string | undefined): CriSignal | undefined {
  return signal?.replace("+", "PLUS").replace("-", "MINUS") as CriSignal | undefined;
}

function signalFromCri(signal: CriSignal): string {
  return signal.replace("PLUS", "+").replace("MINUS", "-");
}

function mountToCri(mount: Mount, user: NamespaceOptions["user"]): Sparse<"Mount"> {
  const mappings = idMappingsToCri(user);
  return {
    ...(mappings && { uidMappings: mappings, gidMappings: mappings }),
    containerPath: mount.containerPath,
    readonly: mount.readOnly,
    recursiveReadOnly: mount.recursiveReadOnly,
    propagation: propagations[mount.propagation],
    ...(mount.imageId === undefined
      ? { hostPath: mount.hostPath }
      : { image: { image: mount.imageId }, imageSubPath: mount.imageSubPath ?? "" }),
  };
}

/** The engine maps every mount of a pod with users of its own, as those users are mapped: there is no other way. */
function requireMappingsOf(user: NamespaceOptions["user"], mounts: readonly Message<"Mount">[]): void {
  for (const { hostId, containerId, length } of mounts.flatMap((mount) => [
    ...mount.uidMappings,
    ...mount.gidMappings,
  ])) {
    const isUsers = user?.hostId === hostId && containerId === 0 && user.length === length;
    if (!isUsers)
      throw new RuntimeError("InvalidArgument", "a mount's id mappings must be those of the user namespace");
  }
}

function mountFromCri(mount: Message<"Mount">): Mount {
  return {
    containerPath: mount.containerPath,
    hostPath: mount.hostPath,
    readOnly: mount.readonly,
    ...(mount.recursiveReadOnly && { recursiveReadOnly: true }),
    propagation: keyOf(propagations, mount.propagation, "private"),
    ...(mount.image?.image && { imageId: mount.image.image }),
    ...(mount.image?.image && mount.imageSubPath && { imageSubPath: mount.imageSubPath }),
  };
}

export function containerListEntry(status: ContainerStatus): Sparse<"Container"> {
  return {
    id: status.id,
    podSandboxId: status.sandboxId,
    metadata: status.metadata,
    image: { image: status.imageName, userSpecifiedImage: status.imageName },
    imageRef: status.imageRef,
    imageId: status.imageId,
    state: states[status.state],
    createdAt: toNs(status.createdAtMs),
    labels: status.labels,
    annotations: status.annotations,
  };
}

export function containerStatusToCri(status: ContainerStatus): Sparse<"ContainerStatus"> {
  const { podSandboxId: _, ...entry } = containerListEntry(status);
  return {
    ...entry,
    startedAt: toNs(status.startedAtMs),
    finishedAt: toNs(status.finishedAtMs),
    exitCode: status.exitCode,
    reason: status.reason,
    message: status.message,
    mounts: status.mounts.map((mount) => mountToCri(mount, undefined)),
    logPath: status.logPath,
    ...(status.user && { user: { linux: status.user } }),
  };
}

/** `info` is what only the engine's verbose answer tells. */
export function containerStatusFromCri(
  status: Message<"ContainerStatus">,
  info: { sandboxId: string; pid?: number },
): ContainerStatus {
  const state = keyOf(states, status.state, "unknown");
  const hasStarted = status.startedAt > 0;
  const hasEnded = state === "exited";
  const user = status.user?.linux;
  return {
    id: status.id,
    sandboxId: info.sandboxId,
    metadata: status.metadata ?? { name: "", attempt: 0 },
    state,
    createdAtMs: fromNs(status.createdAt),
    ...(hasStarted && { startedAtMs: fromNs(status.startedAt) }),
    ...(hasEnded && { finishedAtMs: fromNs(status.finishedAt), exitCode: status.exitCode }),
    ...(status.reason && { reason: status.reason }),
    ...(status.message && { message: status.message }),
    imageName: status.image?.userSpecifiedImage || status.image?.image || "",
    // Before 1.27, CRI had no id beside the reference.
    imageId: status.imageId || status.imageRef,
    imageRef: status.imageRef,
    labels: status.labels,
    annotations: status.annotations,
    logPath: status.logPath,
    mounts: status.mounts.map(mountFromCri),
    ...(state === "running" && info.pid !== undefined && { pid: info.pid }),
    ...(user && { user }),
  };
}
