import { chmodSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type corev1, normalizedSysctl } from "../../api/index.ts";
import type { Random } from "../../base/index.ts";
import type { ContainerConfig, Mount, PodSandboxConfig, PortMapping } from "../../runtime/index.ts";
import { asksForSeLinux, type SecurityModules } from "../admission/security-modules.ts";
import { type EventSink, podTarget } from "../events.ts";
import type { ObjectCache } from "../references/object-cache.ts";
import type { IdRange } from "../users/id-ranges.ts";
import { checkedSubPath, type SubPaths } from "../volumes/sub-path.ts";
import { type PodDirs, podLogDir } from "../worker/pod-files.ts";
import type { ContainerGivens, ContainerMade, MountedVolumes, PodConfigs } from "../worker/services.ts";
import { type ClusterDns, type DnsConfig, podDns } from "./dns.ts";
import { makeEnv } from "./env.ts";
import { readEnvFile } from "./env-file.ts";
import { expand } from "./expansion.ts";
import type { NodeFacts } from "./field-ref.ts";
import { kernelHostname, podHostname } from "./hostname.ts";
import { hostNetworkHostsFile, podHostsFile } from "./hosts-file.ts";
import {
  type AttemptInfo,
  containerAnnotations,
  containerLabels,
  sandboxAnnotations,
  sandboxLabels,
} from "./labels.ts";
import { asksForRecursion, isRecursivelyReadOnly } from "./recursive-read-only.ts";
import { containerResources, type NodeMemory, podCgroupParent, podResources } from "./resources.ts";
import { securityContext, verifyRunAsNonRoot } from "./security.ts";

export interface ConfigMakerOptions extends PodDirs {
  random: Random;
  events: EventSink;
  objects: ObjectCache;
  subPaths: SubPaths;
  hostDns(): DnsConfig;
  clusterDns: ClusterDns;
  nodeMemory: NodeMemory;
  /** How many processes a pod may have; negative: as many as all pods together. */
  podPidsMax: number;
  node(): NodeFacts;
  /** Variables for services, by the pod's namespace. */
  serviceEnv(pod: corev1.Pod): ReadonlyMap<string, string>;
  /** What a class's pods are run by; rejects for one that is not there. */
  runtimeHandler(runtimeClassName: string): Promise<string>;
  /** Whether the engine can, under that handler. */
  mountsReadOnlyRecursively(runtimeHandler: string): Promise<boolean>;
  /** The host's ids that are the pod's own users; rejects where the runtime cannot map them. */
  podUsers(podUid: string, runtimeHandler: string): Promise<IdRange>;
  /** Where Localhost seccomp profiles are found. */
  seccompRoot: string;
  /** Of a pod that does not say. */
  seccompDefault: "RuntimeDefault" | "Unconfined";
  securityModules: SecurityModules;
}

const hostsPath = "/etc/hosts";

/** Makes what the engine is asked for out of what the pod says. */
export class ConfigMaker implements PodConfigs {
  readonly #options: ConfigMakerOptions;
  /** Per pod: the listeners for objects whose absence held back a container. */
  readonly #listeners = new Map<string, () => void>();

  constructor(options: ConfigMakerOptions) {
    this.#options = options;
  }

  async sandbox(pod: corev1.Pod, attempt: number): Promise<PodSandboxConfig> {
    const { clusterDns, events, hostDns, podPidsMax } = this.#options;
    const { metadata } = pod;
    const spec = pod.spec!;
    const dns = podDns(pod, hostDns(), clusterDns);
    for (const { reason, message } of dns.warnings) events.event(podTarget(pod), "Warning", reason, message);
    if (asksForSeLinux(pod) && !this.#options.securityModules.seLinux) {
      const message = "SELinux options are passed over: this node's kernel has SELinux off";
      events.event(podTarget(pod), "Warning", "SELinuxNotEnforced", message);
    }
    const containers = [...spec.containers, ...(spec.initContainers ?? [])];
    const runtimeHandler =
      spec.runtimeClassName && (await this.#options.runtimeHandler(spec.runtimeClassName));
    const user =
      spec.hostUsers === false && (await this.#options.podUsers(metadata.uid!, runtimeHandler || ""));
    const sysctls = (spec.securityContext?.sysctls ?? []).map(({ name, value }) => [
      normalizedSysctl(name),
      value,
    ]);
    return {
      metadata: { name: metadata.name!, namespace: metadata.namespace!, uid: metadata.uid!, attempt },
      hostname: spec.hostNetwork ? "" : kernelHostname(pod, podHostname(pod, clusterDns.domain)),
      logDirectory: podLogDir(this.#options, pod),
      dns: dns.config,
      portMappings: spec.hostNetwork ? [] : portMappings(spec),
      labels: sandboxLabels(pod),
      annotations: sandboxAnnotations(pod),
      ...(runtimeHandler && { runtimeHandler }),
      linux: {
        cgroupParent: podCgroupParent(pod),
        sysctls: Object.fromEntries(sysctls),
        namespaces: {
          network: spec.hostNetwork ? "node" : "pod",
          ipc: spec.hostIPC ? "node" : "pod",
          pid: spec.hostPID ? "node" : spec.shareProcessNamespace ? "pod" : "container",
          ...(user && { user }),
        },
        privileged: containers.some(({ securityContext }) => securityContext?.privileged === true),
        seccomp: { type: "RuntimeDefault" },
        resources: { ...podResources(pod), ...(podPidsMax > 0 && { pidsMax: podPidsMax }) },
      },
    };
  }

  async container(
    pod: corev1.Pod,
    container: corev1.Container,
    info: AttemptInfo,
    given: ContainerGivens,
  ): Promise<ContainerMade> {
    const { node, nodeMemory, objects, seccompDefault, seccompRoot, serviceEnv } = this.#options;
    const uid = pod.metadata.uid!;
    this.#listenFor(uid, given.onRetry);
    const env = await makeEnv({
      pod,
      container,
      podIps: given.podIps,
      node: node(),
      objects: objects.forPod(uid),
      services: serviceEnv(pod),
      fileKey: (reference) => readEnvFile(given.volumes, reference),
    });
    verifyRunAsNonRoot(pod, container, given.image);
    const pidNamespaceOf = targetOf(pod, container, given.runningId);
    const lookup = (name: string) => env.get(name);
    const mounts = await this.#mounts(pod, container, given, env);
    const message = await this.#terminationMessage(pod, container);
    const stopSignal = container.lifecycle?.stopSignal;
    return {
      config: {
        metadata: { name: container.name, attempt: info.attempt },
        imageId: given.image.id,
        imageName: container.image ?? "",
        ...(container.command?.length && { command: container.command.map((part) => expand(part, lookup)) }),
        ...(container.args?.length && { args: container.args.map((part) => expand(part, lookup)) }),
        ...(container.workingDir && { workingDir: container.workingDir }),
        env: [...env].map(([name, value]) => ({ name, value })),
        mounts: [...mounts, ...(message ? [message] : [])],
        ...(container.volumeDevices?.length && { devices: devicesOf(container, given.volumes) }),
        labels: containerLabels(pod, container),
        annotations: containerAnnotations(pod, container, info),
        logPath: `${container.name}/${info.attempt}.log`,
        stdin: container.stdin === true,
        stdinOnce: container.stdinOnce === true,
        tty: container.tty === true,
        ...(stopSignal && { stopSignal }),
        linux: {
          resources: containerResources(pod, container, nodeMemory),
          security: securityContext(pod, container, given.image, {
            seccompRoot,
            seccompDefault,
            volumeGroups: [...given.volumes.values()].flatMap(({ gid }) => gid ?? []),
          }),
          ...(pidNamespaceOf !== undefined && { pidNamespaceOf }),
        },
      },
      discard: async () => {
        if (message) await rm(message.hostPath, { force: true });
      },
    };
  }

  forget(podUid: string): void {
    this.#listeners.get(podUid)?.();
    this.#listeners.delete(podUid);
  }

  #listenFor(podUid: string, onRetry: () => void): void {
    this.#listeners.get(podUid)?.();
    this.#listeners.set(podUid, this.#options.objects.onChange(podUid, onRetry));
  }

  async #mounts(
    pod: corev1.Pod,
    container: corev1.Container,
    given: { podIps: readonly string[]; volumes: MountedVolumes },
    env: ReadonlyMap<string, string>,
  ): Promise<Mount[]> {
    const mounts: Mount[] = [];
    const engine = await this.#recursion(pod, container);
    for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
      const volume = given.volumes.get(mount.name);
      if (!volume)
        throw new Error(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
      const subPath = mount.subPathExpr ? expandSubPath(mount.subPathExpr, env) : (mount.subPath ?? "");
      const hostPath =
        subPath && volume.imageId === undefined
          ? await this.#options.subPaths.prepare({
              pod,
              container: container.name,
              index,
              volume,
              volumeName: mount.name,
              subPath,
            })
          : volume.hostPath;
      mounts.push({
        containerPath: mount.mountPath.startsWith("/") ? mount.mountPath : `/${mount.mountPath}`,
        hostPath,
        readOnly: mount.readOnly === true || volume.readOnly,
        ...(isRecursivelyReadOnly(mount, engine) && { recursiveReadOnly: true }),
        propagation: propagationOf(mount.mountPropagation),
        ...(volume.imageId !== undefined && {
          imageId: volume.imageId,
          ...(subPath && { imageSubPath: checkedSubPath(subPath) }),
        }),
      });
    }
    const hasOwn = mounts.some(({ containerPath }) => containerPath === hostsPath);
    if (!hasOwn && (given.podIps.length > 0 || pod.spec!.hostNetwork))
      mounts.push(await this.#hosts(pod, given.podIps));
    return mounts;
  }

  /** Asked only where it matters. */
  async #recursion({ spec }: corev1.Pod, { volumeMounts = [] }: corev1.Container): Promise<"can" | "cannot"> {
    if (!volumeMounts.some(asksForRecursion)) return "cannot";
    const { mountsReadOnlyRecursively, runtimeHandler } = this.#options;
    const handler = spec!.runtimeClassName ? await runtimeHandler(spec!.runtimeClassName) : "";
    return (await mountsReadOnlyRecursively(handler)) ? "can" : "cannot";
  }

  async #hosts(pod: corev1.Pod, podIps: readonly string[]): Promise<Mount> {
    const aliases = pod.spec!.hostAliases ?? [];
    const hostPath = join(this.#options.podsDir, pod.metadata.uid!, "etc-hosts");
    const text = pod.spec!.hostNetwork
      ? hostNetworkHostsFile(await readFile(hostsPath, "utf8").catch(() => ""), aliases)
      : podHostsFile(podIps, podHostname(pod, this.#options.clusterDns.domain), aliases);
    await writeFile(hostPath, text, { mode: 0o644 });
    return { containerPath: hostsPath, hostPath, readOnly: false, propagation: "private" };
  }

  /** An empty file of its own for each attempt, which the container may write its last words to. */
  async #terminationMessage(pod: corev1.Pod, container: corev1.Container): Promise<Mount | undefined> {
    const containerPath = container.terminationMessagePath;
    if (!containerPath) return undefined;
    const folder = join(this.#options.podsDir, pod.metadata.uid!, "containers", container.name);
    const hostPath = join(folder, this.#options.random.nameSuffix(8));
    await mkdir(folder, { recursive: true });
    await writeFile(hostPath, "");
    // Whoever the container runs as may write to it, whatever the umask of this process.
    chmodSync(hostPath, 0o666);
    return { containerPath, hostPath, readOnly: false, propagation: "private" };
  }
}

/** The container whose processes an ephemeral container sees, where containers do not see each other's anyway. */
function targetOf(
  { spec }: corev1.Pod,
  { name }: corev1.Container,
  runningId: (name: string) => string | undefined,
): string | undefined {
  const target = spec!.ephemeralContainers?.find((each) => each.name === name)?.targetContainerName;
  if (!target || spec!.hostPID || spec!.shareProcessNamespace) return undefined;
  const id = runningId(target);
  if (id === undefined) throw new Error(`unable to find target container ${target}`);
  return id;
}

function devicesOf(
  { name, volumeDevices = [] }: corev1.Container,
  volumes: MountedVolumes,
): NonNullable<ContainerConfig["devices"]> {
  return volumeDevices.map((device) => {
    const volume = volumes.get(device.name);
    if (!volume?.devicePath)
      throw new Error(`cannot find volume "${device.name}" to pass into container "${name}"`);
    return {
      hostPath: volume.devicePath,
      containerPath: device.devicePath,
      permissions: volume.readOnly ? "mr" : "mrw",
    };
  });
}

function propagationOf(mode: string | undefined): Mount["propagation"] {
  switch (mode) {
    case "HostToContainer":
      return "hostToContainer";
    case "Bidirectional":
      return "bidirectional";
    default:
      return "private";
  }
}

function expandSubPath(expression: string, env: ReadonlyMap<string, string>): string {
  const missing = new Set<string>();
  const path = expand(expression, (name) => {
    const value = env.get(name);
    if (!value) missing.add(name);
    return value ?? "";
  });
  if (missing.size > 0) throw new Error(`missing value for ${[...missing].sort().join(", ")}`);
  return path;
}

function portMappings({ containers, initContainers }: corev1.PodSpec): PortMapping[] {
  return [...containers, ...(initContainers ?? [])].flatMap(({ ports }) =>
    (ports ?? []).map(({ protocol, containerPort, hostPort, hostIP }) => ({
      protocol: (protocol as PortMapping["protocol"] | undefined) ?? "TCP",
      containerPort,
      hostPort: hostPort ?? 0,
      ...(hostIP && { hostIp: hostIP }),
    })),
  );
}
