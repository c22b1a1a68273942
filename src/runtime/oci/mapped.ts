import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { type ContainerConfig, type Mount, RuntimeError } from "../contract.ts";
import type { Syscalls } from "../linux/syscalls.ts";
import { type IdRange, supportsUserNamespaces } from "../linux/user-namespace.ts";
import type { EngineContext } from "./context.ts";
import type { SandboxRecord } from "./records.ts";

/*
 * Files of a pod with users of its own: every folder and volume is mounted once more with its owners mapped, so that
 * 0 on the disk is root in the pod and nobody outside. The engine does it, before the runtime starts: runtimes do it
 * in different ways, or (runc 1.1) not at all without a word.
 *
 * What is mapped lies in a folder of its own that is never removed with what is below it: behind a mount that could
 * not be taken away are a user's files.
 */

/** A pod's own users. */
export interface PodUsers {
  /** The file of its user namespace. */
  path: string;
  range: IdRange;
  syscalls: Syscalls;
}

export function podUsers(
  { host, layout }: Pick<EngineContext, "host" | "layout">,
  { id, config }: Pick<SandboxRecord, "id" | "config">,
): PodUsers | undefined {
  const range = config.linux.namespaces.user;
  if (!range) return undefined;
  return { path: layout.namespace(id, "user"), range, syscalls: requireUserNamespaces({ host }) };
}

export function requireUserNamespaces({ host }: Pick<EngineContext, "host">): Syscalls {
  if (!host.syscalls)
    throw new RuntimeError("Unsupported", "user namespaces need koffi, which has no build for this machine");
  if (!supportsUserNamespaces())
    throw new RuntimeError(
      "Unsupported",
      "user namespaces need Linux 5.19 or newer, and must not be switched off",
    );
  return host.syscalls;
}

/** Lets the pod's root through a folder that is closed to all others of the host. */
export function openToUsers(folder: string, { hostId }: IdRange): void {
  chownSync(folder, 0, hostId);
  chmodSync(folder, 0o710);
}

/** Runs `body` with the (read-only) folders as the pod's users see them; without users of its own, with the folders themselves. */
export async function withMapped<T>(
  context: EngineContext,
  containerId: string,
  users: PodUsers | undefined,
  folders: readonly string[],
  body: (folders: readonly string[]) => Promise<T>,
): Promise<T> {
  if (!users) return body(folders);
  const targets = folders.map((_, i) => join(context.layout.mapped(containerId), `folder-${i}`));
  try {
    mapAll(users, folders, targets);
    return await body(targets);
  } finally {
    // What is mounted from them, an overlay, holds them on its own.
    for (const target of targets) await unmap(context, target);
  }
}

/** The container's mounts, and what else it is given, with sources that its users own as they do on the disk. */
export function mapMounts(
  context: EngineContext,
  containerId: string,
  users: PodUsers,
  config: ContainerConfig,
  resolvConfPath: string,
): { mounts: Mount[]; resolvConfPath: string } {
  const folder = context.layout.mapped(containerId);
  const mounts = config.mounts.map((mount, i) => {
    if (mount.imageId !== undefined) return mount;
    const hostPath = join(folder, `mount-${i}`);
    mapAll(users, [mount.hostPath], [hostPath]);
    return { ...mount, hostPath };
  });
  const resolv = join(folder, "resolv.conf");
  mapAll(users, [resolvConfPath], [resolv]);
  return { mounts, resolvConfPath: resolv };
}

function mapAll(users: PodUsers, sources: readonly string[], targets: readonly string[]): void {
  const fd = openSync(users.path, "r");
  try {
    const folder = dirname(targets[0] ?? "");
    if (folder !== "." && !existsSync(folder)) {
      mkdirSync(folder, { mode: 0o700 });
      openToUsers(folder, users.range);
    }
    for (const [i, source] of sources.entries()) mapOne(users.syscalls, source, targets[i]!, fd);
  } finally {
    closeSync(fd);
  }
}

function mapOne(syscalls: Syscalls, source: string, target: string, userNamespaceFd: number): void {
  try {
    if (statSync(source).isDirectory()) mkdirSync(target, { recursive: true, mode: 0o711 });
    else writeFileSync(target, "", { flag: "a" });
    syscalls.mountMapped(source, target, userNamespaceFd);
  } catch (error) {
    const { code, call } = error as { code?: string; call?: string };
    const why =
      call === "mount_setattr" && code === "EINVAL"
        ? "its filesystem cannot be mounted with mapped users (hostUsers: false)"
        : (error as Error).message;
    throw new RuntimeError("CreateContainerError", `failed to mount "${source}": ${why}`, { cause: error });
  }
}

/** Takes all of a container's away. */
export async function releaseMapped(context: EngineContext, containerId: string): Promise<void> {
  const folder = context.layout.mapped(containerId);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return;
  }
  for (const name of names) await unmap(context, join(folder, name));
  rmdirSync(folder);
}

async function unmap({ host }: EngineContext, target: string): Promise<void> {
  await host.umount(target);
  try {
    // Neither takes a folder with something in it, or a mount.
    if (statSync(target).isDirectory()) rmdirSync(target);
    else unlinkSync(target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
