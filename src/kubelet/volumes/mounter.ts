import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The few mounts the agent makes itself. */
export interface Mounter {
  /** Idempotent. */
  mountTmpfs(path: string, options: { sizeBytes?: number; mode?: string }): Promise<void>;
  bind(source: string, target: string): Promise<void>;
  /** Of what is not mounted, or gone: does nothing. */
  unmount(path: string): Promise<void>;
  /** Mount points at or below `path`, the deepest first. */
  mountsBelow(path: string): Promise<string[]>;
}

/** By mount(8) and umount(8). */
export class CommandMounter implements Mounter {
  async mountTmpfs(path: string, { sizeBytes, mode }: { sizeBytes?: number; mode?: string }): Promise<void> {
    if ((await this.mountsBelow(path)).includes(path)) return;
    const options = [...(sizeBytes ? [`size=${sizeBytes}`] : []), ...(mode ? [`mode=${mode}`] : [])];
    await run("mount", [
      "-t",
      "tmpfs",
      ...(options.length > 0 ? ["-o", options.join(",")] : []),
      "tmpfs",
      path,
    ]);
  }

  async bind(source: string, target: string): Promise<void> {
    // Not canonicalised: the source may be a descriptor's path, which must not be resolved to a name again.
    await run("mount", ["--no-canonicalize", "--bind", source, target]);
  }

  async unmount(path: string): Promise<void> {
    if (!(await this.mountsBelow(path)).includes(path)) return;
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

/** mountinfo writes spaces and the like in octal. */
const unescaped = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_match, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
