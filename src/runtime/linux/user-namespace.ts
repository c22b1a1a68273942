import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { insideNamespaces, type NamespaceKind, sysctlPath } from "./host.ts";
import { MountFlag, type Syscalls } from "./syscalls.ts";
import { runTool } from "./tool.ts";

/** A range of the host's ids that stands for 0… inside. */
export interface IdRange {
  hostId: number;
  length: number;
}

export interface UserNamespaceRequest {
  /** The file that the user namespace is bound to; made if missing. */
  userPath: string;
  range: IdRange;
  /** Those that belong to it, and so to its root. */
  paths: Partial<Record<NamespaceKind, string>>;
  hostname?: string;
  sysctls?: Readonly<Record<string, string>>;
}

/** overlayfs takes idmapped layers since then. */
const kernelMin = [5, 19] as const;

/** Whether this kernel can give a pod users of its own, its files included. */
export function supportsUserNamespaces(): boolean {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  const isNew = major > kernelMin[0] || (major === kernelMin[0] && minor >= kernelMin[1]);
  return isNew && namespacesMax() > 0;
}

function namespacesMax(): number {
  try {
    return Number(readFileSync("/proc/sys/user/max_user_namespaces", "utf8"));
  } catch {
    return 0;
  }
}

/**
 * Makes a user namespace, and others that it owns. By a child, since the kernel refuses it to a process of several
 * threads; the child only holds them until their files are there, and this process, the host's root, does the rest.
 */
export async function createUserNamespace(
  syscalls: Syscalls,
  { userPath, range, paths, hostname, sysctls = {} }: UserNamespaceRequest,
): Promise<void> {
  const kinds = Object.keys(paths) as NamespaceKind[];
  const flags = ["--user", ...kinds.map((kind) => `--${kind}`)];
  const child = spawn("unshare", [...flags, "sh", "-c", "echo ready; read -r _"], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
  });
  const ended = once(child, "close");
  ended.catch(() => {});
  try {
    await ready(child);
    const map = `0 ${range.hostId} ${range.length}\n`;
    writeFileSync(`/proc/${child.pid}/uid_map`, map);
    writeFileSync(`/proc/${child.pid}/gid_map`, map);
    for (const [kind, path] of Object.entries({ user: userPath, ...paths })) {
      writeFileSync(path, "", { flag: "a" });
      syscalls.mount(`/proc/${child.pid}/ns/${kind}`, path, null, MountFlag.bind, null);
    }
  } finally {
    child.stdin.on("error", () => {});
    child.stdin.end("\n");
  }
  await ended;
  if (hostname !== undefined && paths.uts)
    insideNamespaces(syscalls, { uts: paths.uts }, () => syscalls.setHostname(hostname));
  await writeSysctls({ user: userPath, ...paths }, sysctls);
}

/** As the namespaces' own root: the kernel lets nobody else set those of an IPC namespace. */
async function writeSysctls(
  paths: Readonly<Record<string, string>>,
  sysctls: Readonly<Record<string, string>>,
): Promise<void> {
  const writes = Object.entries(sysctls).flatMap(([name, value]) => [sysctlPath(name), value]);
  if (writes.length === 0) return;
  const script = 'set -e; while [ $# -gt 0 ]; do printf %s "$2" > "$1"; shift 2; done';
  const enter = Object.entries(paths).map(([kind, path]) => `--${kind}=${path}`);
  await runTool("nsenter", [...enter, "--setuid=0", "--setgid=0", "sh", "-c", script, "sh", ...writes]);
}

async function ready(child: ReturnType<typeof spawn>): Promise<void> {
  let complaint = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  const failed = once(child, "close").then(() => {
    throw new Error(complaint.trim() || "unshare ended at once");
  });
  failed.catch(() => {});
  await Promise.race([once(child.stdout!, "data"), failed]);
}
