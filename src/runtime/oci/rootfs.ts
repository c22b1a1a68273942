import { closeSync, existsSync, lstatSync, openSync, statSync } from "node:fs";
import { chown, lstat, mkdir, readFile, readlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { RuntimeError } from "../contract.ts";
import type { LinuxHost } from "../linux/host.ts";
import { normalized } from "./spec/mounts.ts";

/** The kernel takes one page of mount options. */
const mountOptionBytesMax = 4000;
/** The kernel's own bound on the way through symbolic links. */
const linksMax = 40;
const fileBytesMax = 1024 * 1024;

/**
 * Mounts an overlay of `layers` (lowest first) at `target`.
 *
 * `volatile` (Linux 5.10): without it, unmounting writes back the whole filesystem below, and a container's writable
 * layer has nothing that a power loss should keep: its container does not survive either.
 */
export async function mountOverlay(
  host: LinuxHost,
  overlay: { layers: readonly string[]; target: string; upper?: string; work?: string },
): Promise<void> {
  const opened: number[] = [];
  try {
    let lower = [...overlay.layers].reverse();
    if (lower.join(":").length > mountOptionBytesMax - 1024) {
      // Too long for the page: this process's open directories have short names.
      lower = lower.map((path) => {
        const fd = openSync(path, "r");
        opened.push(fd);
        return `/proc/self/fd/${fd}`;
      });
    } else lower = lower.map(escapeOption);
    const writable =
      overlay.upper && overlay.work
        ? `,upperdir=${escapeOption(overlay.upper)},workdir=${escapeOption(overlay.work)},volatile`
        : "";
    // An overlay without a writable layer needs two lower ones.
    if (!writable && lower.length === 1) {
      await host.mount({ source: overlay.layers[0]!, target: overlay.target, flags: 4096 });
      return;
    }
    const data = `lowerdir=${lower.join(":")}${writable}`;
    await host.mount({ source: "overlay", target: overlay.target, type: "overlay", data });
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

function escapeOption(path: string): string {
  return path.replace(/([\\:,])/g, "\\$1");
}

/**
 * Where `path` is inside `root`, with symbolic links followed as the container would see them; never outside.
 * What does not exist yet is returned as if it did.
 */
export async function resolveInRoot(root: string, path: string): Promise<string> {
  let todo = path.split("/").filter(Boolean);
  let done: string[] = [];
  for (let links = 0; todo.length > 0; ) {
    const part = todo.shift()!;
    if (part === ".") continue;
    if (part === "..") {
      done = done.slice(0, -1);
      continue;
    }
    const here = join(root, ...done, part);
    const link = await readlink(here).catch(() => undefined);
    if (link === undefined) {
      done = [...done, part];
      continue;
    }
    if (++links > linksMax)
      throw new RuntimeError("CreateContainerError", `too many symbolic links in ${path}`);
    if (link.startsWith("/")) done = [];
    todo = [...link.split("/").filter(Boolean), ...todo];
  }
  return join(root, ...done);
}

/** A small text file of the image; empty when it is missing, no file, or too large to be what it should. */
export async function readInRoot(root: string, path: string): Promise<string> {
  try {
    const file = await resolveInRoot(root, path);
    const info = await lstat(file);
    return info.isFile() && info.size <= fileBytesMax ? await readFile(file, "utf8") : "";
  } catch {
    return "";
  }
}

/** Makes the working directory where the image lacks it, as runc does; it is `ownerId`'s, or root's. */
export async function makeDirInRoot(root: string, path: string, ownerId?: number): Promise<void> {
  if (normalized(path) === "/") return;
  const folder = await resolveInRoot(root, path);
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined || ownerId === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made))
    await chown(made, ownerId, ownerId);
}

/**
 * Makes what a mount's destination leads to through links of the image, where it is missing: crun 1.8 does it for files
 * and not for folders. Without a link on the way the runtime sees to it.
 */
export async function makeMountPoint(
  root: string,
  destination: string,
  source: string,
  ownerId?: number,
): Promise<void> {
  if (!hasLink(root, destination)) return;
  const place = await resolveInRoot(root, destination);
  if (existsSync(place) || !statSync(source).isDirectory()) return;
  await makeDirInRoot(root, destination, ownerId);
}

/** Synchronous: a few µs a part, for each container that is made. */
function hasLink(root: string, path: string): boolean {
  let here = root;
  for (const part of path.split("/").filter(Boolean)) {
    here = join(here, part);
    const info = lstatSync(here, { throwIfNoEntry: false });
    if (!info) return false;
    if (info.isSymbolicLink()) return true;
  }
  return false;
}
