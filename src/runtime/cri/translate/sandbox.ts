import { type PodSandboxConfig, type PodSandboxStatus, RuntimeError } from "../../contract.ts";
import type { Message, Sparse } from "../wire/index.ts";
import { resourcesFromCri, resourcesToCri } from "./resources.ts";
import {
  namespacesFromCri,
  namespacesToCri,
  pidTargetFromCri,
  seccompFromCri,
  seccompToCri,
} from "./security.ts";
import { fromNs, toNs } from "./time.ts";

export function sandboxToCri(
  config: PodSandboxConfig,
  options: { cgroupRoot: string },
): Sparse<"PodSandboxConfig"> {
  const { linux } = config;
  return {
    metadata: config.metadata,
    // As the kubelet: a pod on the host's network keeps the host's name.
    hostname: linux.namespaces.network === "node" ? "" : config.hostname,
    logDirectory: config.logDirectory,
    dnsConfig: config.dns,
    portMappings: config.portMappings,
    labels: config.labels,
    annotations: config.annotations,
    linux: {
      cgroupParent: `/${[options.cgroupRoot, linux.cgroupParent].filter(Boolean).join("/")}`,
      sysctls: linux.sysctls,
      securityContext: {
        namespaceOptions: namespacesToCri(linux.namespaces),
        privileged: linux.privileged,
        seccomp: seccompToCri(linux.seccomp ?? { type: "RuntimeDefault" }),
      },
      resources: linux.resources && resourcesToCri(linux.resources),
    },
  };
}

/** Throws `InvalidArgument` for what is missing, and for what the contract cannot say. */
export function sandboxFromCri(config: Message<"PodSandboxConfig"> | null): PodSandboxConfig {
  const metadata = config?.metadata;
  if (!config || !metadata?.name || !metadata.uid)
    throw new RuntimeError("InvalidArgument", "a sandbox needs metadata with name and uid");
  const security = config.linux?.securityContext ?? null;
  if (security?.runAsUser || security?.runAsGroup || security?.supplementalGroups.length)
    throw new RuntimeError(
      "InvalidArgument",
      "a user of the sandbox's own is not supported: it runs no process",
    );
  if (pidTargetFromCri(security?.namespaceOptions ?? null) !== undefined)
    throw new RuntimeError("InvalidArgument", "a sandbox has no target container");
  const seccomp = seccompFromCri(security?.seccomp ?? null);
  const resources = config.linux?.resources;
  return {
    metadata,
    hostname: config.hostname || metadata.name,
    logDirectory: config.logDirectory,
    dns: config.dnsConfig ?? { servers: [], searches: [], options: [] },
    // A port that is not on the host needs nothing done.
    portMappings: config.portMappings.map(({ hostIp, ...mapping }) => ({
      ...mapping,
      ...(hostIp && { hostIp }),
    })),
    labels: config.labels,
    annotations: config.annotations,
    linux: {
      cgroupParent: cgroupParent(config.linux?.cgroupParent || `pod${metadata.uid}`),
      sysctls: config.linux?.sysctls ?? {},
      namespaces: namespacesFromCri(security?.namespaceOptions ?? null),
      privileged: security?.privileged ?? false,
      ...(seccomp && { seccomp }),
      ...(resources && { resources: resourcesFromCri(resources) }),
    },
  };
}

/** Stays below the engine's root. */
function cgroupParent(path: string): string {
  const names = path.split("/").filter(Boolean);
  if (names.some((name) => name === "." || name === "..") || names.length === 0)
    throw new RuntimeError("InvalidArgument", `cgroup_parent ${JSON.stringify(path)} is no cgroup's path`);
  if (names.some((name) => name.includes(":") || name.endsWith(".slice")))
    throw new RuntimeError(
      "InvalidArgument",
      `cgroup_parent ${JSON.stringify(path)}: systemd's cgroups are not supported`,
    );
  return names.join("/");
}

export function sandboxListEntry(status: PodSandboxStatus): Sparse<"PodSandbox"> {
  return {
    id: status.id,
    metadata: status.metadata,
    state: status.state === "ready" ? "SANDBOX_READY" : "SANDBOX_NOTREADY",
    createdAt: toNs(status.createdAtMs),
    labels: status.labels,
    annotations: status.annotations,
    runtimeHandler: status.runtimeHandler,
  };
}

export function sandboxStatusToCri(status: PodSandboxStatus): Sparse<"PodSandboxStatus"> {
  const [ip = "", ...more] = status.ips;
  return {
    ...sandboxListEntry(status),
    network: { ip, additionalIps: more.map((additional) => ({ ip: additional })) },
  };
}

/** `network` is in a sandbox's status only, not in a list's entry. */
export function sandboxStatusFromCri(
  status: Message<"PodSandbox"> | Message<"PodSandboxStatus">,
): PodSandboxStatus {
  const network = "network" in status ? status.network : null;
  return {
    id: status.id,
    metadata: status.metadata ?? { name: "", namespace: "", uid: "", attempt: 0 },
    state: status.state === "SANDBOX_READY" ? "ready" : "notReady",
    createdAtMs: fromNs(status.createdAt),
    ips: network?.ip ? [network.ip, ...network.additionalIps.map(({ ip }) => ip)] : [],
    labels: status.labels,
    annotations: status.annotations,
    ...(status.runtimeHandler && { runtimeHandler: status.runtimeHandler }),
  };
}
