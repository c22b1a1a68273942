import { join } from "node:path";
import type { corev1 } from "../../api/index.ts";
import { type Clock, KeyedMutex, type Log } from "../../base/index.ts";
import type { EventSink } from "../events.ts";
import type { SetUpContext, VolumePlace, VolumePlugin, VolumeSpec } from "../volumes/plugin.ts";
import type { MountedVolume, VolumeUsage } from "../worker/services.ts";
import { messageOf } from "../worker/start-error.ts";
import { CsiBlockDevices } from "./block-device.ts";
import type { CsiDriver } from "./csi-driver.ts";
import { type CsiVolume, csiPluginName, csiVolumeOf } from "./csi-volume.ts";
import type { CsiDrivers } from "./drivers.ts";
import { Expansion, type ExpansionPlace } from "./expansion.ts";
import type { NodeLimits } from "./node-limits.ts";
import { Publisher, type PublisherOptions } from "./publisher.ts";
import { Recurring } from "./recurring.ts";
import { UntilDone } from "./until-done.ts";
import { loadVolumeData, removeEmpty, removeMountPoint } from "./volume-data.ts";

export interface CsiPluginOptions extends PublisherOptions {
  pluginsDir: string;
  drivers: CsiDrivers;
  limits: Pick<NodeLimits, "askNow">;
  events: EventSink;
  clock: Clock;
  log: Log;
}

/**
 * Volumes of CSI drivers. Counterpart upstream: `pkg/volume/csi`.
 *
 * A pod waits until its volume is published, and leaves once it is unpublished. Whether it can be unstaged then is the
 * node's affair: that goes on without the pod.
 */
export class CsiPlugin implements VolumePlugin {
  readonly name = csiPluginName;
  readonly #options: CsiPluginOptions;
  /** A driver is asked one thing at a time about one volume. */
  readonly #turns = new KeyedMutex();
  readonly #publisher: Publisher;
  readonly #blocks: CsiBlockDevices;
  readonly #republished: Recurring;
  readonly #grown: Recurring;
  readonly #unstaged: UntilDone;
  readonly #expansion: Expansion;

  constructor(options: CsiPluginOptions) {
    this.#options = options;
    this.#publisher = new Publisher(options);
    this.#blocks = new CsiBlockDevices({ ...options, publisher: this.#publisher });
    this.#republished = new Recurring({ ...options, failed: "a volume could not be published again" });
    this.#grown = new Recurring({ ...options, failed: "a volume could not be looked at for its size" });
    this.#unstaged = new UntilDone({ ...options, failed: "a volume could not be unstaged" });
    this.#expansion = new Expansion(options);
  }

  close(): void {
    this.#republished.close();
    this.#grown.close();
    this.#unstaged.close();
  }

  canHandle({ volume, persistentVolume }: VolumeSpec): boolean {
    return volume.csi !== undefined || persistentVolume?.spec?.csi !== undefined;
  }

  mayMount(): boolean {
    return true;
  }

  /** A driver has come, or has said how it wants to be used; a volume has been attached. */
  onAvailable(listener: () => void): () => void {
    const { attachments, drivers, objects } = this.#options;
    const stops = [
      drivers.onRegistered(() => listener()),
      objects.onChange(listener),
      attachments.onChange(listener),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  async isNodeFull(spec: VolumeSpec): Promise<boolean> {
    const { attachments, limits } = this.#options;
    const csi = spec.persistentVolume?.spec?.csi;
    if (!csi || !(await attachments.isNodeFull(csi))) return false;
    await limits.askNow(csi.driver);
    return true;
  }

  async setUp(spec: VolumeSpec, context: SetUpContext): Promise<MountedVolume> {
    const { objects } = this.#options;
    const volume = csiVolumeOf(spec, context.pod);
    const target = join(context.folder, "mount");
    const driver = await this.#driver(volume.driver, "mounter.SetUpAt failed to get CSI client");
    await objects.checkMode(volume).catch((error) => {
      throw failed("mounter.SetupAt failed to check volume lifecycle mode", error);
    });
    const place = { ...context, name: spec.name, volumePath: target };
    await this.#inTurn(volume, async () => {
      const stagingPath = await this.#publisher.publish(driver, spec.name, volume, target, context);
      if (volume.mode === "Persistent") await this.#growNow(driver, volume, { ...place, stagingPath });
    });
    if ((await objects.spec(volume.driver))?.requiresRepublish)
      this.#republished.keep(target, (signal) => this.#again(volume, target, { ...context, signal }));
    return { hostPath: target, readOnly: volume.readOnly };
  }

  #again(volume: CsiVolume, target: string, context: SetUpContext): Promise<void> {
    return this.#inTurn(volume, async () => {
      const driver = await this.#driver(volume.driver, "mounter.SetUpAt failed to get CSI client");
      await this.#publisher.republish(driver, volume, target, context);
    });
  }

  /** And from now on, when it is made larger. */
  async #growNow(driver: CsiDriver, volume: CsiVolume, place: ExpansionPlace): Promise<void> {
    await this.#expansion.expandIfDue(driver, volume, place);
    if (await driver.can("EXPAND_VOLUME"))
      this.#grown.keep(place.volumePath, (signal) => this.#grow(volume, { ...place, signal }));
  }

  #ungrow(volumePath: string): void {
    this.#grown.drop(volumePath);
    this.#expansion.forget(volumePath);
  }

  #grow(volume: CsiVolume, place: ExpansionPlace): Promise<void> {
    return this.#inTurn(volume, async () => {
      const driver = await this.#driver(volume.driver, "Expander.NodeExpand failed to get CSI client");
      await this.#expansion.expandIfDue(driver, volume, place);
    });
  }

  /** By what an agent, this one or another, wrote down before it asked the driver. */
  async tearDown({ folder }: VolumePlace): Promise<void> {
    const target = join(folder, "mount");
    this.#republished.drop(target);
    this.#ungrow(target);
    const data = await loadVolumeData(folder);
    if (!data) return;
    const { driverName: driver, volumeHandle: handle, volumeLifecycleMode } = data;
    await this.#inTurn({ driver, handle }, async () => {
      const found = await this.#driver(driver, "Unmounter.TearDownAt failed to get CSI client");
      await found.unpublish(handle, target).catch((error) => {
        throw failed("Unmounter.TearDownAt failed", error);
      });
      await removeEmpty(target).catch((error) => {
        throw failed(`Unmounter.TearDownAt failed to clean mount dir [${target}]`, error);
      });
      if (volumeLifecycleMode === "Persistent") this.#options.attachments.keepStaged(driver, handle);
      await removeMountPoint(target);
    });
    if (volumeLifecycleMode === "Persistent") this.#unstage({ driver, handle });
  }

  async map(spec: VolumeSpec, context: SetUpContext): Promise<MountedVolume> {
    const volume = csiVolumeOf(spec, context.pod);
    const driver = await this.#driver(volume.driver, "blockMapper.SetUpDevice failed to get CSI client");
    const devicePath = await this.#inTurn(volume, async () => {
      const { target, stagingPath } = await this.#blocks.map(driver, spec, volume, context);
      const place = { ...context, name: spec.name, volumePath: target, stagingPath };
      await this.#growNow(driver, volume, place);
      return target;
    });
    return { hostPath: "", devicePath, readOnly: volume.readOnly };
  }

  async unmap(place: VolumePlace): Promise<void> {
    this.#ungrow(this.#blocks.target(place.name, place.podUid));
    const data = await this.#blocks.dataOf(place);
    if (!data) return;
    const { driverName: driver, volumeHandle: handle } = data;
    await this.#inTurn({ driver, handle }, async () => {
      const found = await this.#driver(driver, "blockMapper.UnmapPodDevice failed to get CSI client");
      this.#options.attachments.keepStaged(driver, handle);
      await this.#blocks.unmap(found, data, place).catch((error) => {
        throw failed("blockMapper.UnmapPodDevice failed", error);
      });
    });
    this.#unstageDevice({ driver, handle, name: place.name });
  }

  /** A driver has registered: what it has staged here and no pod has any more was left by an agent that was killed. */
  async sweep(driver: string): Promise<void> {
    for (const handle of await this.#options.staging.stagedBy(driver)) this.#unstage({ driver, handle });
    for (const staged of await this.#blocks.staged())
      if (staged.driver === driver) this.#unstageDevice(staged);
  }

  /** Once no pod has it any more. */
  #unstage(volume: { driver: string; handle: string }): void {
    this.#offTheNode(volume, "attacher.UnmountDevice", (driver) =>
      this.#options.staging.unstage(driver, volume.handle),
    );
  }

  #unstageDevice(volume: { driver: string; handle: string; name: string }): void {
    this.#offTheNode(volume, "blockMapper.TearDownDevice", (driver) =>
      this.#blocks.unstage(driver, volume.handle, volume.name),
    );
  }

  #offTheNode(
    { driver, handle }: { driver: string; handle: string },
    what: string,
    work: (driver: CsiDriver) => Promise<void>,
  ): void {
    this.#unstaged.start(keyOf({ driver, handle }), () =>
      this.#inTurn({ driver, handle }, async () => {
        await work(await this.#driver(driver, `${what} failed to get CSI client`)).catch((error) => {
          throw failed(`${what} failed`, error);
        });
        await this.#options.attachments.unstaged(driver, handle);
      }),
    );
  }

  /** By the driver, where it can: what is behind the mount is its own affair. */
  async usage(
    spec: VolumeSpec,
    podUid: string,
    { devicePath, hostPath }: MountedVolume,
  ): Promise<Omit<VolumeUsage, "name">> {
    const { driver: name, handle } = csiVolumeOf(spec, { metadata: { uid: podUid } } as corev1.Pod);
    const driver = await this.#options.drivers.get(name);
    return (await driver.can("GET_VOLUME_STATS")) ? driver.usage(handle, devicePath ?? hostPath) : {};
  }

  podLeft(podUid: string): void {
    this.#options.attachments.podLeft(podUid);
    this.#options.tokens.forget(podUid);
  }

  /** What an earlier agent left on the disk is in use. */
  async restore(): Promise<void> {
    const { attachments, staging } = this.#options;
    const left = await Promise.all([
      staging.published(),
      this.#blocks.mapped(),
      staging.staged(),
      this.#blocks.staged(),
    ]);
    await attachments.restore(left.flat());
  }

  #inTurn<T>({ driver, handle }: Pick<CsiVolume, "driver" | "handle">, work: () => Promise<T>): Promise<T> {
    return this.#turns.run(keyOf({ driver, handle }), work);
  }

  async #driver(name: string, what: string): Promise<CsiDriver> {
    return this.#options.drivers.get(name).catch((error) => {
      throw failed(what, error);
    });
  }
}

const keyOf = ({ driver, handle }: Pick<CsiVolume, "driver" | "handle">) => `${driver}^${handle}`;

/** In upstream's words. */
function failed(what: string, error: unknown): Error {
  return new Error(`${csiPluginName}: ${what}: ${messageOf(error)}`, { cause: error });
}
