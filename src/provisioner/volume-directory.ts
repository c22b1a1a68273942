import { chmod, mkdir, open, rm, statfs, truncate } from "node:fs/promises";
import { join } from "node:path";
import { LoopDevices, readMounts } from "../runtime/index.ts";

/** Where a node's volumes stand: a directory each, or for raw block volumes a sparse file. */
export class VolumeDirectory {
  readonly #dir: string;
  readonly #loops = new LoopDevices();

  constructor(dir: string) {
    this.#dir = dir;
  }

  path(name: string): string {
    return join(this.#dir, name);
  }

  /** Of the file system they are on: no volume holds more, whoever else uses it. */
  async sizeBytesMax(): Promise<number> {
    await mkdir(this.#dir, { recursive: true, mode: 0o755 });
    const { bsize, blocks } = await statfs(this.#dir);
    return bsize * blocks;
  }

  /** Idempotent. Open to every user, as the pods it is for have any. */
  async makeFolder(name: string): Promise<string> {
    const path = this.path(name);
    await mkdir(path, { recursive: true });
    await chmod(path, 0o777);
    return path;
  }

  /** Idempotent; makes one that is there larger, never smaller. */
  async makeFile(name: string, sizeBytes: number): Promise<string> {
    const path = this.path(name);
    const file = await open(path, "a", 0o600);
    const { size } = await file.stat().finally(() => file.close());
    if (size < sizeBytes) await truncate(path, sizeBytes);
    for (const device of await this.#loops.of(path)) await this.#loops.refreshSize(device);
    return path;
  }

  /** With all that is in it. What somebody has mounted there is not theirs to lose: then it fails. */
  async remove(name: string): Promise<void> {
    const path = this.path(name);
    const mounted = (await readMounts()).find(({ target }) => target.startsWith(`${path}/`));
    if (mounted) throw new Error(`${mounted.target} is mounted`);
    for (const device of await this.#loops.of(path)) await this.#loops.detach(device);
    await rm(path, { recursive: true, force: true });
  }
}
