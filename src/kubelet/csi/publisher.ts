import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { attachmentName } from "../../api/index.ts";
import type { Transport } from "../../client/index.ts";
import { RpcError } from "../plugins/rpc-error.ts";
import type { SetUpContext } from "../volumes/plugin.ts";
import type { TokenManager } from "../volumes/token-manager.ts";
import { giveToGroup } from "../volumes/volume-ownership.ts";
import { messageOf } from "../worker/start-error.ts";
import type { Attachments } from "./attachments.ts";
import type { CsiDriver } from "./csi-driver.ts";
import type { CsiVolume } from "./csi-volume.ts";
import { type DriverObjects, takesGroup } from "./driver-objects.ts";
import { publishContent } from "./publish-content.ts";
import type { Staging } from "./staging.ts";
import { loadVolumeData, removeMountPoint, saveVolumeData } from "./volume-data.ts";

export interface PublisherOptions {
  nodeName: string;
  objects: DriverObjects;
  transport: Transport;
  tokens: TokenManager;
  attachments: Attachments;
  staging: Staging;
}

type For = Pick<SetUpContext, "pod" | "fsGroup" | "signal">;

/** A volume on its way into a pod: attached, staged, published, given to the pod's group. Called in its turn. */
export class Publisher {
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Returns where the volume is staged, if it is. */
  async publish(
    driver: CsiDriver,
    name: string,
    volume: CsiVolume,
    target: string,
    given: For,
  ): Promise<string | undefined> {
    const { attachments, nodeName } = this.#options;
    const { handle, mode } = volume;
    const publishContext = await attachments.publishContext(volume, given.pod.metadata.uid!);
    const folder = dirname(target);
    const isAgain = (await loadVolumeData(folder)) !== undefined;
    await mkdir(folder, { recursive: true, mode: 0o750 });
    await saveVolumeData(folder, {
      specVolID: name,
      volumeHandle: handle,
      driverName: volume.driver,
      nodeName,
      volumeLifecycleMode: mode,
      attachmentID: attachmentName(handle, volume.driver, nodeName),
    });
    let stagingPath: string | undefined;
    try {
      stagingPath = await this.#stage(driver, volume, publishContext, given);
      await this.ask(driver, volume, target, { ...given, publishContext, stagingPath });
    } catch (error) {
      // A driver that refused has nothing to be asked to undo. One that had the volume already may still have it,
      // and so may one in which it was staged: what was written down stays until that is undone.
      const isRefused = error instanceof RpcError && error.isFinal;
      if (isRefused && !isAgain && !stagingPath) await removeMountPoint(target).catch(() => {});
      throw error;
    }
    await this.#giveToGroup(driver, volume, target, given);
    return stagingPath;
  }

  async #giveToGroup(
    driver: CsiDriver,
    volume: CsiVolume,
    target: string,
    { fsGroup, pod }: For,
  ): Promise<void> {
    if (fsGroup === undefined || (await driver.can("VOLUME_MOUNT_GROUP"))) return;
    const { fsGroupPolicy } = (await this.#options.objects.spec(volume.driver)) ?? {};
    if (!takesGroup(volume, fsGroupPolicy)) return;
    await giveToGroup(target, fsGroup, pod.spec!.securityContext?.fsGroupChangePolicy).catch((error) => {
      throw new Error(`applyFSGroup failed for vol ${volume.handle}: ${messageOf(error)}`);
    });
  }

  /** As `publish`, of what is published already. */
  async republish(driver: CsiDriver, volume: CsiVolume, target: string, given: For): Promise<void> {
    const { attachments } = this.#options;
    const publishContext = await attachments.publishContext(volume, given.pod.metadata.uid!);
    const stagingPath = await this.#stage(driver, volume, publishContext, given);
    await this.ask(driver, volume, target, { ...given, publishContext, stagingPath });
  }

  async #stage(
    driver: CsiDriver,
    volume: CsiVolume,
    publishContext: Readonly<Record<string, string>>,
    { fsGroup, signal }: For,
  ): Promise<string | undefined> {
    if (volume.mode === "Ephemeral") return undefined;
    const mountGroup = await this.#mountGroup(driver, volume, fsGroup, signal);
    return this.#options.staging.stage(driver, volume, { publishContext, mountGroup, signal });
  }

  async ask(
    driver: CsiDriver,
    volume: CsiVolume,
    targetPath: string,
    given: For & { publishContext: Readonly<Record<string, string>>; stagingPath: string | undefined },
  ): Promise<void> {
    const { objects, tokens, transport } = this.#options;
    const { fsGroup, pod, publishContext, signal, stagingPath } = given;
    const spec = await objects.spec(volume.driver);
    const content = await publishContent(volume, pod, spec, { transport, tokens });
    const mountGroup = await this.#mountGroup(driver, volume, fsGroup, signal);
    const request = {
      ...content,
      ...{ volumeId: volume.handle, readOnly: volume.readOnly, stagingPath, targetPath, publishContext },
      use: { ...volume.use, mountGroup },
    };
    await driver.publish(request, signal);
  }

  async #mountGroup(
    driver: CsiDriver,
    { use }: CsiVolume,
    fsGroup: number | undefined,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    return use.kind === "mount" && (await driver.can("VOLUME_MOUNT_GROUP", signal)) ? fsGroup : undefined;
  }
}
