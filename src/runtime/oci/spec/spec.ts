import {
  type ContainerConfig,
  type ImageConfig,
  type Mount,
  type PodSandboxConfig,
  RuntimeError,
} from "../../contract.ts";
import type { CgroupSpec } from "../cgroups/driver.ts";
import { containerCapabilities } from "./capabilities.ts";
import { containerMounts, rootfsPropagation } from "./mounts.ts";
import type { OciDevice, OciIdMapping, OciSpec } from "./oci-spec.ts";
import { commandLine, environment, workingDirectory } from "./process.ts";
import { type OciSeccomp, seccompFilter } from "./seccomp.ts";
import type { ResolvedUser } from "./user.ts";

/** What this machine is able to give; read once. */
export interface HostFacts {
  /** Capabilities of the agent, the most that a container can get. */
  capabilities: readonly string[];
  /** Without CAP_SYS_RESOURCE no process may have a lower one than the agent. */
  oomScoreAdjMin: number;
  apparmor: boolean;
  selinux: boolean;
  /** As `process.arch`. */
  architecture: string;
}

export interface SpecInput {
  config: ContainerConfig;
  sandbox: PodSandboxConfig;
  image: ImageConfig;
  user: ResolvedUser;
  host: HostFacts;
  rootfsPath: string;
  /** Paths of the pod's namespaces; one that is absent is the host's. */
  namespaces: { network?: string; ipc?: string; uts?: string; pid?: string };
  /** The pod's own users: the file of their namespace, and the host's ids that they are. */
  users?: { path: string; range: { hostId: number; length: number } };
  shmPath: string;
  resolvConfPath: string;
  cgroup: CgroupSpec;
  devices: readonly OciDevice[];
  imageSources: ReadonlyMap<Mount, string>;
  /** Where the runtime is to set it, as it is no part of the namespaces. */
  hostname?: string;
  /** The file behind a Localhost seccomp profile. */
  localhostSeccomp?: OciSeccomp;
}

/** As containerd and CRI-O hide them. */
const maskedPaths = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];
const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const oomScoreAdjMax = 1000;

/** The OCI specification of a container: a pure function of what is wanted and what the host is. */
export function buildSpec(input: SpecInput): OciSpec {
  const { config, sandbox, image, user, host } = input;
  const { security } = config.linux;
  refuseWhatTheHostLacks(input);

  const capabilities = containerCapabilities(security, host.capabilities);
  const seccomp = seccompFilter(security.seccomp ?? sandbox.linux.seccomp, {
    privileged: security.privileged,
    capabilities,
    architecture: host.architecture,
    localhost: input.localhostSeccomp,
  });
  const unmasked = security.privileged || security.procMount === "Unmasked";
  const propagation = rootfsPropagation(config.mounts);
  const oomScoreAdj = config.linux.resources.oomScoreAdj;

  return {
    ociVersion: "1.0.2",
    process: {
      terminal: config.tty,
      user: {
        uid: user.uid,
        gid: user.gid,
        ...(user.supplementalGroups.length > 0 && { additionalGids: user.supplementalGroups }),
      },
      args: commandLine(config, image),
      env: environment(config, image, sandbox.hostname),
      cwd: workingDirectory(config, image),
      capabilities: {
        bounding: capabilities,
        effective: capabilities,
        permitted: capabilities,
        // Inheritable ones would come back to a user who is not root through a file's capabilities.
        inheritable: [],
        ambient: [],
      },
      noNewPrivileges: security.noNewPrivileges,
      ...(oomScoreAdj !== undefined && {
        oomScoreAdj: Math.min(Math.max(oomScoreAdj, host.oomScoreAdjMin), oomScoreAdjMax),
      }),
      ...(security.apparmorProfile && host.apparmor && { apparmorProfile: security.apparmorProfile }),
      // As every engine does: a label means nothing to a kernel without SELinux.
      ...(security.selinux && host.selinux && { selinuxLabel: selinuxLabel(security.selinux) }),
    },
    root: { path: input.rootfsPath, readonly: security.readOnlyRootfs },
    ...(input.hostname && { hostname: input.hostname }),
    mounts: containerMounts({
      mounts: config.mounts,
      privileged: security.privileged,
      shmPath: input.shmPath,
      resolvConfPath: input.resolvConfPath,
      cgroup: input.cgroup.mounts,
      imageSources: input.imageSources,
    }),
    linux: {
      namespaces: namespaces(input),
      ...(input.users && { uidMappings: idMappings(input.users), gidMappings: idMappings(input.users) }),
      ...(input.cgroup.cgroupsPath && { cgroupsPath: input.cgroup.cgroupsPath }),
      ...(input.cgroup.resources && { resources: input.cgroup.resources }),
      ...(input.devices.length > 0 && { devices: [...input.devices] }),
      ...(seccomp && { seccomp }),
      ...(propagation && { rootfsPropagation: propagation }),
      maskedPaths: unmasked ? [] : maskedPaths,
      readonlyPaths: unmasked ? [] : readonlyPaths,
    },
  };
}

function idMappings({ range }: NonNullable<SpecInput["users"]>): OciIdMapping[] {
  return [{ containerID: 0, hostID: range.hostId, size: range.length }];
}

function namespaces({
  namespaces: paths,
  sandbox,
  cgroup,
  users,
}: SpecInput): OciSpec["linux"]["namespaces"] {
  const list: OciSpec["linux"]["namespaces"] = [{ type: "mount" }];
  if (users) list.push({ type: "user", path: users.path });
  switch (sandbox.linux.namespaces.pid) {
    case "container":
      list.push({ type: "pid", ...(paths.pid && { path: paths.pid }) });
      break;
    case "pod":
      list.push({ type: "pid", path: paths.pid });
      break;
    case "node":
      break;
  }
  if (paths.network) list.push({ type: "network", path: paths.network });
  if (paths.ipc) list.push({ type: "ipc", path: paths.ipc });
  if (paths.uts) list.push({ type: "uts", path: paths.uts });
  if (cgroup.namespace) list.push({ type: "cgroup" });
  return list;
}

function refuseWhatTheHostLacks({ config, host }: SpecInput): void {
  const { apparmorProfile } = config.linux.security;
  const confined =
    apparmorProfile && apparmorProfile !== "unconfined" && apparmorProfile !== "runtime/default";
  if (confined && !host.apparmor) {
    throw new RuntimeError(
      "CreateContainerError",
      `AppArmor profile "${apparmorProfile}" was asked for, but this kernel has AppArmor off`,
    );
  }
}

function selinuxLabel(
  options: NonNullable<ContainerConfig["linux"]["security"]["selinux"]>,
): string | undefined {
  const { user, role, type, level } = options;
  if (!user && !role && !type && !level) return undefined;
  return [user || "system_u", role || "system_r", type || "container_t", level || "s0"].join(":");
}
