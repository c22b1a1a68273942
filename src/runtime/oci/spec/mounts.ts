import { type Mount, RuntimeError } from "../../contract.ts";
import type { OciMount } from "./oci-spec.ts";

export interface MountInput {
  mounts: readonly Mount[];
  privileged: boolean;
  shmPath: string;
  resolvConfPath: string;
  cgroup: readonly OciMount[];
  /** What is mounted for each mount of an image volume. */
  imageSources: ReadonlyMap<Mount, string>;
}

/** What is mounted in a container: the kernel's filesystems first, then the pod's mounts, outer before inner. */
export function containerMounts(input: MountInput): OciMount[] {
  const wanted = input.mounts.map((mount) => podMount(mount, input.imageSources));
  const taken = new Set(wanted.map((mount) => normalized(mount.destination)));
  const hidesCgroups = taken.has("/sys/fs/cgroup") || taken.has("/sys");
  const defaults = defaultMounts(input).filter(
    ({ destination }) =>
      !taken.has(destination) && !(hidesCgroups && destination.startsWith("/sys/fs/cgroup")),
  );
  // A mount below another has to come after it; otherwise the pod's order stands.
  const depth = (mount: OciMount) => normalized(mount.destination).split("/").length;
  return [...defaults, ...wanted.sort((a, b) => depth(a) - depth(b))];
}

function defaultMounts({ privileged, shmPath, resolvConfPath, cgroup }: MountInput): OciMount[] {
  const sysAccess = privileged ? "rw" : "ro";
  return [
    { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    // Of the container's IPC namespace, be it the host's: many a host has not mounted its own.
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
    {
      destination: "/sys",
      type: "sysfs",
      source: "sysfs",
      options: ["nosuid", "noexec", "nodev", sysAccess],
    },
    ...cgroup,
    bind("/dev/shm", shmPath, ["rbind", "nosuid", "noexec", "nodev", "rw"]),
    bind("/etc/resolv.conf", resolvConfPath, ["rbind", "rprivate", "rw"]),
  ];
}

function bind(destination: string, source: string, options: string[]): OciMount {
  return { destination, type: "bind", source, options };
}

const propagationOption = {
  private: "rprivate",
  hostToContainer: "rslave",
  bidirectional: "rshared",
} as const;

function podMount(mount: Mount, imageSources: ReadonlyMap<Mount, string>): OciMount {
  if (!mount.containerPath.startsWith("/")) {
    throw new RuntimeError("CreateContainerError", `mount path "${mount.containerPath}" is not absolute`);
  }
  const source = mount.imageId ? imageSources.get(mount) : mount.hostPath;
  if (!source) {
    throw new RuntimeError("CreateContainerError", `nothing to mount on "${mount.containerPath}"`);
  }
  if (mount.recursiveReadOnly && (!mount.readOnly || mount.propagation !== "private")) {
    throw new RuntimeError(
      "CreateContainerError",
      `recursive read-only mount on "${mount.containerPath}" needs readOnly and no propagation`,
    );
  }
  const readOnly = mount.readOnly || mount.imageId !== undefined;
  const access = readOnly ? (mount.recursiveReadOnly ? "rro" : "ro") : "rw";
  return bind(normalized(mount.containerPath), source, [
    "rbind",
    propagationOption[mount.propagation],
    access,
    // As the API says of them: data, and nothing to run from.
    ...(mount.imageId === undefined ? [] : ["noexec"]),
  ]);
}

/** How the root must propagate for the widest mount to. */
export function rootfsPropagation(mounts: readonly Mount[]): "rslave" | "rshared" | undefined {
  if (mounts.some((mount) => mount.propagation === "bidirectional")) return "rshared";
  return mounts.some((mount) => mount.propagation === "hostToContainer") ? "rslave" : undefined;
}

/** Without a trailing slash, doubled slashes, `.` and `..`. */
export function normalized(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return `/${parts.join("/")}`;
}
