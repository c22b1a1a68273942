import { closeSync, constants, openSync, writeFileSync } from "node:fs";
import { assert } from "../../base/index.ts";
import { loadSyscalls, MountFlag, NamespaceFlag, type Syscalls } from "./syscalls.ts";
import { runTool } from "./tool.ts";

export type NamespaceKind = "net" | "ipc" | "uts";

export interface NamespaceRequest {
  /** For each kind the file that the new namespace is bound to; made if missing. */
  paths: Partial<Record<NamespaceKind, string>>;
  /** Needs `uts`. */
  hostname?: string;
  /** `net.ipv4.ip_forward` and such, of the new namespaces only. */
  sysctls?: Record<string, string>;
}

export interface MountRequest {
  source: string;
  target: string;
  type?: string;
  /** Of {@link MountFlag}. */
  flags?: number;
  data?: string;
}

/** Mounts and namespaces of this machine: in this process where koffi loads, else by child processes. */
export interface LinuxHost {
  /** Absent where koffi has no build: what needs it is then refused. */
  readonly syscalls: Syscalls | undefined;
  mount(request: MountRequest): Promise<void>;
  /** Unmounts everything at `target`, lazily; nothing mounted there is fine. */
  umount(target: string): Promise<void>;
  createNamespaces(request: NamespaceRequest): Promise<void>;
  setHostname(utsPath: string, hostname: string): Promise<void>;
}

/** `children` does without koffi where it could be had; for tests. */
export async function createLinuxHost(way: "inProcess" | "children" = "inProcess"): Promise<LinuxHost> {
  const syscalls = way === "inProcess" ? await loadSyscalls() : undefined;
  return syscalls ? inProcess(syscalls) : byChildren();
}

/** The namespaces of this thread, to come back to; opened once, as each is the same file for ever. */
const ownNamespaces: Partial<Record<NamespaceKind, number>> = {};

function ownNamespace(kind: NamespaceKind): number {
  ownNamespaces[kind] ??= openSync(`/proc/thread-self/ns/${kind}`, constants.O_RDONLY);
  return ownNamespaces[kind];
}

/**
 * Runs `body` with this thread inside the namespaces at `paths`, and comes back. Synchronous by need: no other
 * JavaScript may run meanwhile. Not coming back would leave the whole agent in a pod, so that is a crash.
 */
export function insideNamespaces<T>(
  syscalls: Syscalls,
  paths: Partial<Record<NamespaceKind, string>>,
  body: () => T,
): T {
  const kinds = Object.keys(paths) as NamespaceKind[];
  for (const kind of kinds) ownNamespace(kind);
  const entered: NamespaceKind[] = [];
  try {
    for (const kind of kinds) {
      const fd = openSync(paths[kind]!, constants.O_RDONLY);
      try {
        syscalls.setns(fd, NamespaceFlag[kind]);
      } finally {
        closeSync(fd);
      }
      entered.push(kind);
    }
    return body();
  } finally {
    comeBack(syscalls, entered);
  }
}

function comeBack(syscalls: Syscalls, kinds: readonly NamespaceKind[]): void {
  for (const kind of kinds) {
    try {
      syscalls.setns(ownNamespace(kind), NamespaceFlag[kind]);
    } catch (error) {
      assert(false, `the agent cannot leave a pod's ${kind} namespace: ${error}`);
    }
  }
}

function inProcess(syscalls: Syscalls): LinuxHost {
  return {
    syscalls,
    async mount({ source, target, type, flags, data }) {
      await syscalls.mountAsync(source, target, type ?? null, flags ?? 0, data ?? null);
    },
    async umount(target) {
      if (!(await syscalls.umountAsync(target, MountFlag.detach))) return;
      // Stacked mounts are possible where a crash came between two steps. Past the last one the call fails at once.
      try {
        for (let i = 1; i < stackedMountsMax; i++) syscalls.umount(target, MountFlag.detach);
      } catch {
        // Nothing is mounted there any more.
      }
    },
    async createNamespaces({ paths, hostname, sysctls }) {
      const kinds = Object.keys(paths) as NamespaceKind[];
      for (const kind of kinds) {
        ownNamespace(kind);
        writeFileSync(paths[kind]!, "", { flag: "a" });
      }
      syscalls.unshare(kinds.reduce((flags, kind) => flags | NamespaceFlag[kind], 0));
      try {
        if (hostname !== undefined && paths.uts) syscalls.setHostname(hostname);
        for (const [name, value] of Object.entries(sysctls ?? {})) writeFileSync(sysctlPath(name), value);
        for (const kind of kinds) {
          syscalls.mount(`/proc/thread-self/ns/${kind}`, paths[kind]!, null, MountFlag.bind, null);
        }
      } finally {
        comeBack(syscalls, kinds);
      }
    },
    async setHostname(utsPath, hostname) {
      insideNamespaces(syscalls, { uts: utsPath }, () => syscalls.setHostname(hostname));
    },
  };
}

const stackedMountsMax = 8;

export function sysctlPath(name: string): string {
  // Both separators are allowed, and the other one is then a dot of an interface's name.
  const first = /[./]/.exec(name)?.[0];
  const path = first === "." ? name.replace(/[./]/g, (each) => (each === "." ? "/" : ".")) : name;
  return `/proc/sys/${path}`;
}

function byChildren(): LinuxHost {
  const optionNames: [number, string][] = [
    [MountFlag.readOnly, "ro"],
    [MountFlag.noSuid, "nosuid"],
    [MountFlag.noDev, "nodev"],
    [MountFlag.noExec, "noexec"],
    [MountFlag.remount, "remount"],
    [MountFlag.bind, "bind"],
  ];
  return {
    syscalls: undefined,
    async mount({ source, target, type, flags = 0, data }) {
      if (flags & MountFlag.private) return void (await runTool("mount", ["--make-private", target]));
      const options = optionNames.filter(([flag]) => flags & flag).map(([, name]) => name);
      if (data) options.push(data);
      const args = [
        "-n",
        ...(type ? ["-t", type] : []),
        ...(options.length ? ["-o", options.join(",")] : []),
      ];
      await runTool("mount", [...args, source, target]);
    },
    async umount(target) {
      for (let i = 0; i < stackedMountsMax; i++) {
        try {
          await runTool("umount", ["-n", "-l", target]);
        } catch {
          return;
        }
      }
    },
    async createNamespaces({ paths, hostname, sysctls }) {
      const kinds = Object.keys(paths) as NamespaceKind[];
      for (const kind of kinds) writeFileSync(paths[kind]!, "", { flag: "a" });
      const writes = Object.entries(sysctls ?? {}).map(([name, value]) => [sysctlPath(name), value] as const);
      if (hostname !== undefined && paths.uts) writes.push(["/proc/sys/kernel/hostname", hostname]);
      const script = 'set -e; while [ $# -gt 0 ]; do printf %s "$2" > "$1"; shift 2; done';
      const args = kinds.map((kind) => `--${kind}=${paths[kind]}`);
      await runTool("unshare", [...args, "sh", "-c", script, "sh", ...writes.flat()]);
    },
    async setHostname(utsPath, hostname) {
      await runTool("nsenter", [`--uts=${utsPath}`, "hostname", hostname]);
    },
  };
}
