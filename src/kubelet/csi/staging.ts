import { mkdir, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Transport } from "../../client/index.ts";
import { RpcError } from "../plugins/rpc-error.ts";
import type { CsiDriver } from "./csi-driver.ts";
import { type CsiVolume, csiPluginName, stagingFolder } from "./csi-volume.ts";
import { secretTexts } from "./publish-content.ts";
import { loadVolumeData, removeMountPoint, saveVolumeData } from "./volume-data.ts";

type Texts = Readonly<Record<string, string>>;

/**
 * A persistent volume's first step on a node, once for all pods that use it there (NodeStageVolume), and its last.
 * Called in the volume's turn. Counterpart upstream: `csiAttacher.MountDevice` and `UnmountDevice`.
 */
export class Staging {
  readonly #pluginsDir: string;
  readonly #podsDir: string;
  readonly #transport: Transport;
  /** By this agent: a driver need not be asked again for each pod. */
  readonly #staged = new Set<string>();

  constructor(options: { pluginsDir: string; podsDir: string; transport: Transport }) {
    this.#pluginsDir = options.pluginsDir;
    this.#podsDir = options.podsDir;
    this.#transport = options.transport;
  }

  /** Where it is staged; undefined for a driver that knows no such step. */
  async stage(
    driver: CsiDriver,
    volume: CsiVolume,
    given: { publishContext: Texts; mountGroup: number | undefined; signal: AbortSignal },
  ): Promise<string | undefined> {
    if (!(await driver.can("STAGE_UNSTAGE_VOLUME", given.signal))) return undefined;
    const path = this.#path(volume.driver, volume.handle);
    if (this.#staged.has(path)) return path;
    const secrets = await secretTexts(this.#transport, "NodeStageSecretRef", volume.stageSecret);
    const isAgain = (await loadVolumeData(dirname(path))) !== undefined;
    await mkdir(path, { recursive: true, mode: 0o750 });
    await saveVolumeData(dirname(path), { volumeHandle: volume.handle, driverName: volume.driver });
    const request = {
      ...{ volumeId: volume.handle, stagingPath: path, secrets, volumeContext: volume.attributes },
      use: { ...volume.use, mountGroup: given.mountGroup },
      publishContext: given.publishContext,
    };
    try {
      await driver.stage(request, given.signal);
    } catch (error) {
      // A driver that refused has nothing to be asked to undo.
      if (error instanceof RpcError && error.isFinal && !isAgain)
        await removeMountPoint(path).catch(() => {});
      throw error;
    }
    this.#staged.add(path);
    return path;
  }

  /** Undoes it, unless a pod has the volume. */
  async unstage(driver: CsiDriver, handle: string): Promise<void> {
    const path = this.#path(driver.name, handle);
    if (await this.#isPublished(driver.name, handle)) return;
    if ((await loadVolumeData(dirname(path))) === undefined) return;
    this.#staged.delete(path);
    if (await driver.can("STAGE_UNSTAGE_VOLUME")) await driver.unstage(handle, path);
    await removeMountPoint(path);
  }

  /** All that is staged, as the disk says. */
  async staged(): Promise<{ driver: string; handle: string; podUid: undefined }[]> {
    const drivers = await readdir(join(this.#pluginsDir, csiPluginName)).catch(() => []);
    const found = drivers.map(async (driver) =>
      (await this.stagedBy(driver)).map((handle) => ({ driver, handle, podUid: undefined })),
    );
    return (await Promise.all(found)).flat();
  }

  /** Handles of a driver that are staged, as the disk says. */
  async stagedBy(driverName: string): Promise<string[]> {
    const folder = join(this.#pluginsDir, csiPluginName, driverName);
    const names = await readdir(folder).catch(() => []);
    const data = await Promise.all(
      names.map((name) => loadVolumeData(join(folder, name)).catch(() => undefined)),
    );
    return data.flatMap((each) => (each?.driverName === driverName ? [each.volumeHandle] : []));
  }

  /** In a pod of this node. */
  async #isPublished(driver: string, handle: string): Promise<boolean> {
    const published = await this.published();
    return published.some((each) => each.driver === driver && each.handle === handle);
  }

  /** Persistent volumes that pods of this node have, as the disk says. */
  async published(): Promise<{ driver: string; handle: string; podUid: string }[]> {
    const uids = await readdir(this.#podsDir).catch(() => []);
    const perPod = await Promise.all(
      uids.map(async (podUid) => {
        const dir = join(this.#podsDir, podUid, "volumes", csiPluginName.replaceAll("/", "~"));
        const names = await readdir(dir).catch(() => []);
        return Promise.all(
          names.map(async (name) => {
            const data = await loadVolumeData(join(dir, name));
            return data?.volumeLifecycleMode === "Persistent"
              ? [{ driver: data.driverName, handle: data.volumeHandle, podUid }]
              : [];
          }),
        );
      }),
    );
    return perPod.flat(2);
  }

  #path = (driver: string, handle: string) => stagingFolder(this.#pluginsDir, driver, handle);
}
