import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Programs that mount(8) asks for what it cannot do itself, and where it looks for them. */
const helpers: Readonly<Record<string, string>> = { nfs: "mount.nfs" };
const searchPath = ["/sbin", "/usr/sbin", "/usr/local/sbin"];

export interface MountHow {
  /** Of the file system: `ext4`, `nfs`. */
  type: string;
  options: readonly string[];
}

/** The few mounts the agent makes itself. */
export interface Mounter {
  /** Idempotent. */
  mountTmpfs(path: string, options: { sizeBytes?: number; mode?: string }): Promise<void>;
  bind(source: string, target: string, options?: readonly string[]): Promise<void>;
  mount(source: string, target: string, how: MountHow): Promise<void>;
  /** The file system of a block device, made if it has none. */
  mountDevice(device: string, target: string, how: MountHow): Promise<void>;
  isMountPoint(path: string): Promise<boolean>;
  /** Of what is not mounted, or gone: does nothing. */
  unmount(path: string): Promise<void>;
  /** Mount points at or below `path`, the deepest first. */
  mountsBelow(path: string): Promise<string[]>;
}

/** By mount(8) and umount(8). */
export class CommandMounter implements Mounter {
  async mountTmpfs(path: string, { sizeBytes, mode }: { sizeBytes?: number; mode?: string }): Promise<void> {
    if (await this.isMountPoint(path)) return;
    const options = [...(sizeBytes ? [`size=${sizeBytes}`] : []), ...(mode ? [`mode=${mode}`] : [])];
    await run("mount", [
      "-t",
      "tmpfs",
      ...(options.length > 0 ? ["-o", options.join(",")] : []),
      "tmpfs",
      path,
    ]);
  }

  async bind(source: string, target: string, options: readonly string[] = []): Promise<void> {
    // Not canonicalised: the source may be a descriptor's path, which must not be resolved to a name again.
    await run("mount", ["--no-canonicalize", "-o", ["bind", ...options].join(","), source, target]);
  }

  async mount(source: string, target: string, { type, options }: MountHow): Promise<void> {
    const helper = helpers[type];
    if (helper && !searchPath.some((dir) => existsSync(join(dir, helper))))
      throw new Error(`mounting ${type} needs ${helper}, which this node does not have`);
    const given = options.length > 0 ? ["-o", options.join(",")] : [];
    await run("mount", ["-t", type, ...given, source, target]).catch((error) => {
      throw new Error(`mount failed: ${error.stderr?.trim() || error.message}`);
    });
  }

  async mountDevice(device: string, target: string, { type, options }: MountHow): Promise<void> {
    if (!(await hasFileSystem(device))) {
      if (options.includes("ro"))
        throw new Error(
          `cannot mount unformatted disk ${device} as we are manipulating it in read-only mode`,
        );
      // As upstream: all of the space is for the pods.
      const how = type === "ext3" || type === "ext4" ? ["-F", "-m0"] : [];
      await run(`mkfs.${type}`, [...how, device]).catch((error) => {
        throw new Error(`error formatting ${device} with ${type}: ${error.stderr?.trim() || error.message}`);
      });
    }
    await this.mount(device, target, { type, options });
  }

  async isMountPoint(path: string): Promise<boolean> {
    return (await this.mountsBelow(path)).includes(path);
  }

  async unmount(path: string): Promise<void> {
    if (!(await this.isMountPoint(path))) return;
    await run("umount", ["--lazy", path]);
  }

  async mountsBelow(path: string): Promise<string[]> {
    const table = await readFile("/proc/self/mountinfo", "utf8");
    return table
      .split("\n")
      .map((line) => unescaped(line.split(" ")[4] ?? ""))
      .filter((point) => point === path || point.startsWith(`${path}/`))
      .sort((a, b) => b.length - a.length);
  }
}

/** As blkid(8): it ends with 2 where it finds nothing; a table of partitions is something, too. */
const nothingFound = 2;

async function hasFileSystem(device: string): Promise<boolean> {
  try {
    await run("blkid", ["-p", "-o", "export", device]);
    return true;
  } catch (error) {
    if ((error as { code?: number }).code === nothingFound) return false;
    throw error;
  }
}

/** mountinfo writes spaces and the like in octal. */
const unescaped = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_match, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
