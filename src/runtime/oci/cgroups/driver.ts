import type { CgroupUsage, LinuxResources, UsageDetail } from "../../contract.ts";

/** A rule of the device controller: `type` `a` is all devices; -1 is any number. */
export interface DeviceRule {
  type: "a" | "b" | "c";
  major: number;
  minor: number;
  access: string;
}

/** What every container may use: making nodes, null, zero, full, random, urandom, tty, console, ptmx, pts. */
export const defaultDeviceRules: readonly DeviceRule[] = [
  { type: "c", major: -1, minor: -1, access: "m" },
  { type: "b", major: -1, minor: -1, access: "m" },
  { type: "c", major: 1, minor: 3, access: "rwm" },
  { type: "c", major: 1, minor: 5, access: "rwm" },
  { type: "c", major: 1, minor: 7, access: "rwm" },
  { type: "c", major: 1, minor: 8, access: "rwm" },
  { type: "c", major: 1, minor: 9, access: "rwm" },
  { type: "c", major: 5, minor: 0, access: "rwm" },
  { type: "c", major: 5, minor: 1, access: "rwm" },
  { type: "c", major: 5, minor: 2, access: "rwm" },
  { type: "c", major: 136, minor: -1, access: "rwm" },
];

export interface ContainerCgroup {
  resources: LinuxResources;
  /** `all` for privileged. */
  devices: "all" | readonly DeviceRule[];
}

/** crun is given processes in their cgroups; runc makes them itself; gVisor's runsc is kept out of them. */
export type RuntimeKind = "crun" | "runc" | "runsc";

/** What the OCI specification has to say of a container's cgroup. */
export interface CgroupSpec {
  cgroupsPath?: string;
  resources?: Record<string, unknown>;
  /** What appears at /sys/fs/cgroup. */
  mounts: { destination: string; type: string; source: string; options: string[] }[];
  /** A cgroup namespace of its own. */
  namespace: boolean;
}

/**
 * The cgroups of pods and containers, below one root a cluster. `cgroup` is a path relative to the hierarchies'
 * mounts: `peapod-x/kubepods/burstable/podUID/CONTAINER`.
 */
export interface CgroupDriver {
  readonly version: "v1" | "v2";
  /** What the runtime is told about who manages cgroups. */
  readonly runtimeArgs: readonly string[];
  createPod(cgroup: string, resources: LinuxResources | undefined): void;
  /** Makes what has to be there before the runtime creates the container. */
  createContainer(cgroup: string, container: ContainerCgroup): void;
  spec(cgroup: string, container: ContainerCgroup, access: "ro" | "rw"): CgroupSpec;
  /**
   * What to put before the runtime's command line so that all it starts is born in the container's cgroup; nothing
   * where the runtime sees to it.
   */
  launcher(cgroup: string): readonly string[];
  /** The same for an exec, which gets a child cgroup `name`, so that all it started can be killed. */
  execLauncher(cgroup: string, name: string): readonly string[];
  /** What the runtime is told about that child cgroup. */
  execRuntimeArgs(name: string): readonly string[];
  /** Makes that child cgroup. */
  prepareExec(cgroup: string, name: string): void;
  killExec(cgroup: string, name: string): Promise<void>;
  /** Forgets the exec's cgroup when it is empty; a daemon left behind keeps it until the container goes. */
  removeExec(cgroup: string, name: string): void;
  update(cgroup: string, resources: LinuxResources): void;
  /** What its processes use; undefined when it is gone. */
  stats(cgroup: string, detail?: UsageDetail): CgroupUsage | undefined;
  /** Whether the kernel killed a process of it for memory. */
  oomKilled(cgroup: string): boolean;
  /** Every cgroup below the root, deepest first. */
  list(): string[];
  /** Kills every process in it and below. */
  kill(cgroup: string): Promise<void>;
  /** Removes it and what is below, killing what still runs there. */
  remove(cgroup: string): Promise<void>;
}

/** The device rules as the OCI specification says them. */
export function ociDeviceRules(devices: ContainerCgroup["devices"]): Record<string, unknown>[] {
  if (devices === "all") return [{ allow: true, access: "rwm" }];
  return [
    { allow: false, access: "rwm" },
    ...[...defaultDeviceRules, ...devices].map(({ type, major, minor, access }) => ({
      allow: true,
      type,
      ...(major >= 0 && { major }),
      ...(minor >= 0 && { minor }),
      access,
    })),
  ];
}

/** The kernel's own view of the cgroup, where the runtime mounts it. */
export function cgroupMount(access: "ro" | "rw"): CgroupSpec["mounts"][number] {
  return {
    destination: "/sys/fs/cgroup",
    type: "cgroup",
    source: "cgroup",
    options: ["nosuid", "noexec", "nodev", "relatime", access],
  };
}
