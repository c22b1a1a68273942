import { existsSync, type Stats } from "node:fs";
import { mkdir, readdir, realpath, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { corev1 } from "../../../api/index.ts";
import { KeyedMutex } from "../../../base/index.ts";
import { type EventSink, podTarget } from "../../events.ts";
import type { MountedVolume } from "../../worker/services.ts";
import type { BlockDevices } from "../block-devices.ts";
import type { Mounter } from "../mounter.ts";
import {
  folderOfPlugin,
  type SetUpContext,
  type VolumePlace,
  type VolumePlugin,
  type VolumeSpec,
} from "../plugin.ts";
import { giveToGroup } from "../volume-ownership.ts";

interface LocalOptions {
  podsDir: string;
  /** Where file systems on block devices are mounted, once for all pods. */
  pluginsDir: string;
  mounter: Mounter;
  devices: BlockDevices;
  events: EventSink;
}

/**
 * A directory or a block device of the node that a persistent volume stands for. A directory is bound into the pod's
 * folder, and so is the file system of a device, which is made if it has none. As `pkg/volume/local`; beyond that a
 * file may stand for a device where pods use the device itself.
 */
export class LocalPlugin implements VolumePlugin {
  readonly name = "kubernetes.io/local-volume";
  readonly #options: LocalOptions;
  readonly #folder = folderOfPlugin("kubernetes.io/local-volume");
  readonly #turns = new KeyedMutex();

  constructor(options: LocalOptions) {
    this.#options = options;
  }

  canHandle({ persistentVolume }: VolumeSpec): boolean {
    return persistentVolume?.spec?.local !== undefined;
  }

  mayMount(): boolean {
    return true;
  }

  async setUp(spec: VolumeSpec, context: SetUpContext): Promise<MountedVolume> {
    const { folder, fsGroup, pod } = context;
    const found = await look(spec);
    await this.#turns.run(spec.name, () => this.#bind(spec, context, found));
    if (fsGroup !== undefined && !spec.readOnly)
      await giveToGroup(folder, fsGroup, pod.spec!.securityContext?.fsGroupChangePolicy);
    return { hostPath: folder, readOnly: spec.readOnly };
  }

  async tearDown({ podUid, name, folder }: VolumePlace): Promise<void> {
    const { mounter } = this.#options;
    await this.#turns.run(name, async () => {
      await mounter.unmount(folder);
      const shared = this.#sharedPath(name);
      if (!existsSync(shared) || (await this.#hasOthers(name, podUid))) return;
      await mounter.unmount(shared);
      await rmdir(shared);
    });
  }

  async map(spec: VolumeSpec, { folder, pod }: SetUpContext): Promise<MountedVolume> {
    await look(spec);
    const { path } = spec.persistentVolume!.spec!.local!;
    const { devices } = this.#options;
    const devicePath = await devices.map(this.#folder, spec.name, pod.metadata.uid!, path, folder);
    return { hostPath: "", devicePath, readOnly: spec.readOnly };
  }

  unmap({ podUid, name, folder }: VolumePlace): Promise<void> {
    return this.#options.devices.unmap(this.#folder, name, podUid, folder);
  }

  async #bind(spec: VolumeSpec, { folder, fsGroup, pod }: SetUpContext, found: Stats): Promise<void> {
    const { mounter } = this.#options;
    if (await mounter.isMountPoint(folder)) return;
    const { local, mountOptions = [] } = spec.persistentVolume!.spec!;
    const source = found.isDirectory() ? local!.path : await this.#mountDevice(spec);
    const { gid } = await stat(source);
    if (fsGroup !== undefined && gid !== fsGroup && (await this.#hasOthers(spec.name, pod.metadata.uid!)))
      this.#tellOthers(spec, pod, fsGroup, gid);
    await mkdir(folder, { recursive: true, mode: 0o750 });
    await mounter.bind(source, folder, [...(spec.readOnly ? ["ro"] : []), ...mountOptions]);
  }

  /** For all pods of the node at one place. */
  async #mountDevice({ name, persistentVolume, readOnly }: VolumeSpec): Promise<string> {
    const { local, mountOptions = [] } = persistentVolume!.spec!;
    const shared = this.#sharedPath(name);
    const { mounter } = this.#options;
    if (await mounter.isMountPoint(shared)) return shared;
    await mkdir(shared, { recursive: true, mode: 0o750 });
    await mounter.mountDevice(await realpath(local!.path), shared, {
      type: local!.fsType || "ext4",
      options: [...(readOnly ? ["ro"] : []), ...mountOptions],
    });
    return shared;
  }

  #sharedPath(name: string): string {
    return join(this.#options.pluginsDir, this.#folder, "mounts", name);
  }

  /** Whether another pod has the volume, by what is on the disk. */
  async #hasOthers(name: string, podUid: string): Promise<boolean> {
    const { podsDir } = this.#options;
    const pods = await readdir(podsDir);
    return pods.some(
      (uid) => uid !== podUid && existsSync(join(podsDir, uid, "volumes", this.#folder, name)),
    );
  }

  /** They share its group from now on, and may not have meant to. */
  #tellOthers({ name }: VolumeSpec, pod: corev1.Pod, gid: number, owner: number): void {
    const message = `The requested fsGroup is ${gid}, but the volume ${name} has GID ${owner}. The volume may not be shareable.`;
    this.#options.events.event(podTarget(pod), "Warning", "AlreadyMountedVolume", message);
  }
}

async function look({ persistentVolume }: VolumeSpec): Promise<Stats> {
  const { local, volumeMode } = persistentVolume!.spec!;
  const found = await stat(local!.path).catch((error: Error) => {
    throw new Error(`path "${local!.path}" does not exist`, { cause: error });
  });
  const isUsable = volumeMode === "Block" || found.isDirectory() || found.isBlockDevice();
  if (!isUsable) throw new Error("only directory and block device are supported");
  return found;
}
