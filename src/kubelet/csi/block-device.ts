import { mkdir, readdir, rm, stat, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { attachmentName } from "../../api/index.ts";
import type { SetUpContext, VolumePlace, VolumeSpec } from "../volumes/plugin.ts";
import type { CsiDriver } from "./csi-driver.ts";
import { type CsiVolume, csiPluginName } from "./csi-volume.ts";
import { secretTexts } from "./publish-content.ts";
import type { Publisher, PublisherOptions } from "./publisher.ts";
import { loadVolumeData, removeEmpty, saveVolumeData, type VolumeData } from "./volume-data.ts";

/**
 * Volumes that are block devices: the driver puts the device at a path of the node's, and the pod's folder has a link
 * to it. Called in the volume's turn. Counterpart upstream: `csiBlockMapper`, whose paths these are.
 */
export class CsiBlockDevices {
  readonly #dir: string;
  readonly #options: Pick<PublisherOptions, "attachments" | "nodeName" | "transport"> & {
    publisher: Publisher;
  };

  constructor(options: CsiBlockDevices["options"] & { pluginsDir: string }) {
    this.#dir = join(options.pluginsDir, csiPluginName, "volumeDevices");
    this.#options = options;
  }

  get options() {
    return this.#options;
  }

  /** Returns the device's path on the node, and where it is staged, if it is. */
  async map(
    driver: CsiDriver,
    { name }: VolumeSpec,
    volume: CsiVolume,
    context: SetUpContext,
  ): Promise<{ target: string; stagingPath: string | undefined }> {
    const { attachments, nodeName, publisher, transport } = this.#options;
    const { pod, signal } = context;
    const publishContext = await attachments.publishContext(volume, pod.metadata.uid!);
    await mkdir(this.#dataFolder(name), { recursive: true, mode: 0o750 });
    await saveVolumeData(this.#dataFolder(name), {
      specVolID: name,
      volumeHandle: volume.handle,
      driverName: volume.driver,
      nodeName,
      attachmentID: attachmentName(volume.handle, volume.driver, nodeName),
    });
    const target = this.target(name, pod.metadata.uid!);
    await mkdir(dirname(context.folder), { recursive: true, mode: 0o750 });
    // Before the driver is asked: by it, another agent sees that the pod may have the device.
    await symlink(target, context.folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    const stagingPath = join(this.#dir, "staging", name);
    const stages = await driver.can("STAGE_UNSTAGE_VOLUME", signal);
    if (stages) {
      const secrets = await secretTexts(transport, "NodeStageSecretRef", volume.stageSecret);
      await mkdir(stagingPath, { recursive: true, mode: 0o750 });
      const request = { volumeId: volume.handle, stagingPath, use: volume.use, publishContext };
      await driver.stage({ ...request, volumeContext: volume.attributes, secrets }, signal);
    }
    await mkdir(dirname(target), { recursive: true, mode: 0o750 });
    const staged = stages ? stagingPath : undefined;
    await publisher.ask(driver, volume, target, { ...context, publishContext, stagingPath: staged });
    if (!(await stat(target)).isBlockDevice()) throw new Error(`${target} is not a block device`);
    return { target, stagingPath: staged };
  }

  dataOf({ name }: VolumePlace): Promise<VolumeData | undefined> {
    return loadVolumeData(this.#dataFolder(name));
  }

  /** Devices that pods of this node have, as the disk says. */
  async mapped(): Promise<{ driver: string; handle: string; podUid: string }[]> {
    const names = await readdir(join(this.#dir, "publish")).catch(() => []);
    const found = names.map(async (name) => {
      const data = await loadVolumeData(this.#dataFolder(name));
      const uids = await readdir(join(this.#dir, "publish", name));
      return uids.flatMap((podUid) =>
        data ? [{ driver: data.driverName, handle: data.volumeHandle, podUid }] : [],
      );
    });
    return (await Promise.all(found)).flat();
  }

  /** Those that are, or may be, staged, as the disk says. */
  async staged(): Promise<{ driver: string; handle: string; podUid: undefined; name: string }[]> {
    const names = await readdir(this.#dir).catch(() => []);
    const found = names.map(async (name) => {
      const data = await loadVolumeData(this.#dataFolder(name)).catch(() => undefined);
      return data ? [{ driver: data.driverName, handle: data.volumeHandle, podUid: undefined, name }] : [];
    });
    return (await Promise.all(found)).flat();
  }

  async unmap(
    driver: CsiDriver,
    { volumeHandle }: VolumeData,
    { name, podUid, folder }: VolumePlace,
  ): Promise<void> {
    const target = this.target(name, podUid);
    await driver.unpublish(volumeHandle, target);
    await rm(target, { force: true });
    await rm(folder, { force: true });
  }

  /** Unless a pod has the device. */
  async unstage(driver: CsiDriver, handle: string, name: string): Promise<void> {
    const users = join(this.#dir, "publish", name);
    if ((await readdir(users).catch(() => [])).length > 0) return;
    await removeEmpty(users);
    if ((await loadVolumeData(this.#dataFolder(name))) === undefined) return;
    const stagingPath = join(this.#dir, "staging", name);
    if (await driver.can("STAGE_UNSTAGE_VOLUME")) await driver.unstage(handle, stagingPath);
    await rm(stagingPath, { recursive: true, force: true });
    await rm(join(this.#dir, name), { recursive: true, force: true });
  }

  #dataFolder = (name: string) => join(this.#dir, name, "data");

  target(name: string, podUid: string): string {
    return join(this.#dir, "publish", name, podUid);
  }
}
