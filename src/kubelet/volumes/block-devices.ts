import { mkdir, readdir, readlink, realpath, rm, stat, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { KeyedMutex } from "../../base/index.ts";
import { LoopDevices } from "../../runtime/index.ts";

/** Beside the links of pods, which are named by uid: the file behind a loop device, and the device. */
const fileLink = "file";
const loopLink = "loop";

/**
 * Block devices that pods of this node use, and files that are made ones for them. As upstream, each pod has a link in
 * its own folder, and `plugins/PLUGIN/volumeDevices/NAME` has one a pod: with the last of them the loop device goes.
 *
 * - The links are the state. A device that this agent has not made is never taken away.
 */
export class BlockDevices {
  readonly #pluginsDir: string;
  readonly #loops = new LoopDevices();
  readonly #turns = new KeyedMutex();

  constructor({ pluginsDir }: { pluginsDir: string }) {
    this.#pluginsDir = pluginsDir;
  }

  /** The device that `path` is, or that stands for the file there. `folder` is where the pod's link goes. Idempotent. */
  map(plugin: string, name: string, podUid: string, path: string, folder: string): Promise<string> {
    const dir = this.#dirOf(plugin, name);
    return this.#turns.run(dir, async () => {
      const found = await stat(path);
      if (!found.isBlockDevice() && !found.isFile()) throw new Error(`${path} is not a block device`);
      await mkdir(dir, { recursive: true, mode: 0o750 });
      const device = found.isBlockDevice() ? await realpath(path) : await this.#loopFor(dir, path);
      await link(device, join(dir, podUid));
      await mkdir(dirname(folder), { recursive: true, mode: 0o750 });
      await link(device, folder);
      return device;
    });
  }

  async unmap(plugin: string, name: string, podUid: string, folder: string): Promise<void> {
    const dir = this.#dirOf(plugin, name);
    await this.#turns.run(dir, async () => {
      await rm(join(dir, podUid), { force: true });
      const left = (await readdir(dir).catch(() => [])).filter(
        (each) => each !== fileLink && each !== loopLink,
      );
      if (left.length === 0) await this.#remove(dir);
      await rm(folder, { force: true });
    });
  }

  /** Every loop device that agents have left here. */
  async removeAll(): Promise<void> {
    for (const plugin of await readdir(this.#pluginsDir).catch(() => [])) {
      const devices = join(this.#pluginsDir, plugin, "volumeDevices");
      for (const name of await readdir(devices).catch(() => [])) await this.#remove(join(devices, name));
    }
  }

  #dirOf(plugin: string, name: string): string {
    return join(this.#pluginsDir, plugin, "volumeDevices", name);
  }

  async #loopFor(dir: string, path: string): Promise<string> {
    const file = await realpath(path);
    const present = await this.#loops.of(file);
    const known = await target(join(dir, loopLink));
    if (known && present.includes(known)) return known;
    // An agent that ended between the two steps below has left its device behind.
    const begun = (await target(join(dir, fileLink))) === file ? present[0] : undefined;
    await link(file, join(dir, fileLink));
    const device = begun ?? (await this.#loops.attach(file));
    await link(device, join(dir, loopLink));
    return device;
  }

  async #remove(dir: string): Promise<void> {
    const file = await target(join(dir, fileLink));
    if (file) {
      const present = await this.#loops.of(file);
      const known = (await target(join(dir, loopLink))) ?? present[0];
      // After a restart of the machine the number may be another's.
      if (known && present.includes(known)) await this.#loops.detach(known);
    }
    await rm(dir, { recursive: true, force: true });
  }
}

async function link(to: string, path: string): Promise<void> {
  if ((await target(path)) === to) return;
  await rm(path, { force: true });
  await symlink(to, path);
}

const target = (path: string) => readlink(path).catch(() => undefined);
