import {
  attachmentName,
  type corev1,
  type storagev1,
  uniqueVolumeName,
  volumeOfUniqueName,
} from "../../api/index.ts";
import type { Log } from "../../base/index.ts";
import { type Informer, nodes, type Transport, volumeAttachments } from "../../client/index.ts";
import type { KubeObject } from "../../machinery/index.ts";
import { WaitsForOthers } from "../volumes/plugin.ts";
import { messageOf } from "../worker/start-error.ts";
import type { CsiVolume } from "./csi-volume.ts";
import type { DriverObjects } from "./driver-objects.ts";

/** gRPC's code for it. */
const resourceExhausted = 8;

/** In place of a pod's uid. */
const noPod = "";

export interface AttachmentsOptions {
  nodeName: string;
  node: Informer<corev1.Node & KubeObject>;
  objects: DriverObjects;
  transport: Transport;
  log: Log;
}

/**
 * Volumes that are attached to the node before they are mounted, where their driver wants it so. Others attach; this
 * agent says what it uses (`status.volumesInUse`, so that nothing is detached from under a pod), sees what is attached
 * (`status.volumesAttached`), and reads what the driver said of it.
 */
export class Attachments {
  readonly #options: AttachmentsOptions;
  /** By unique name: the uids of the pods that use it, or are to; and whether it is left staged. */
  readonly #users = new Map<string, Set<string>>();
  /** One write at a time, and none older than another. */
  #turn: Promise<void> = Promise.resolve();
  #isKnown = false;

  constructor(options: AttachmentsOptions) {
    this.#options = options;
  }

  /** What an earlier agent left mounted. `user`: the pod's uid, or undefined for what is only staged. */
  async restore(
    left: readonly { driver: string; handle: string; podUid: string | undefined }[],
  ): Promise<void> {
    for (const { driver, handle, podUid } of left)
      if (await this.#options.objects.isAttachRequired(driver))
        this.#use(uniqueVolumeName(driver, handle), podUid ?? noPod);
    this.#isKnown = true;
    await this.#write();
  }

  /** What the driver said when it attached. Rejects with {@link WaitsForOthers} until it has. */
  async publishContext(volume: CsiVolume, podUid: string): Promise<Readonly<Record<string, string>>> {
    const { nodeName, objects, transport } = this.#options;
    const { driver, handle, mode } = volume;
    if (mode === "Ephemeral" || !(await objects.isAttachRequired(driver))) return {};
    const unique = uniqueVolumeName(driver, handle);
    if (this.#use(unique, podUid)) await this.#write();
    const attached = this.#node()?.status?.volumesAttached ?? [];
    if (!attached.some(({ name }) => name === unique))
      throw new WaitsForOthers("volume is not attached according to the node's status");
    const name = attachmentName(handle, driver, nodeName);
    const { object } = await transport.request({ verb: "get", resource: volumeAttachments, name });
    const { status } = object as storagev1.VolumeAttachment;
    if (!status?.attached)
      throw new WaitsForOthers(`volume ${handle} is not attached for volume attachment ${name}`);
    return status.attachmentMetadata ?? {};
  }

  /**
   * Whether the driver refused to attach the volume because the node is full. Only of drivers whose limits may change
   * while they run: of others the scheduler knows beforehand.
   */
  async isNodeFull({ driver, volumeHandle }: corev1.CSIPersistentVolumeSource): Promise<boolean> {
    const { log, nodeName, objects, transport } = this.#options;
    if (!(await objects.spec(driver))?.nodeAllocatableUpdatePeriodSeconds) return false;
    const name = attachmentName(volumeHandle, driver, nodeName);
    try {
      const { object } = await transport.request({ verb: "get", resource: volumeAttachments, name });
      const { status } = object as storagev1.VolumeAttachment;
      return status?.attached !== true && status?.attachError?.errorCode === resourceExhausted;
    } catch (error) {
      log.warn({ name, error: messageOf(error) }, "a volume's attachment could not be read");
      return false;
    }
  }

  /** The pod has nothing here any more: what no other pod uses may be detached. */
  podLeft(podUid: string): void {
    const before = this.#users.size;
    for (const unique of [...this.#users.keys()]) this.#leave(unique, podUid);
    if (this.#users.size !== before) void this.#write().catch(() => {});
  }

  /** Drivers have come to be used in other ways: those that attach no more have nothing that is not to be detached. */
  async driversChanged(): Promise<void> {
    for (const unique of [...this.#users.keys()])
      if (!(await this.#options.objects.isAttachRequired(volumeOfUniqueName(unique)!.driver)))
        this.#users.delete(unique);
    await this.#write();
  }

  /** A pod leaves it, and it is in use until it has been unstaged, too. */
  keepStaged(driver: string, handle: string): void {
    this.#users.get(uniqueVolumeName(driver, handle))?.add(noPod);
  }

  /** What was left staged is not any more. */
  async unstaged(driver: string, handle: string): Promise<void> {
    this.#leave(uniqueVolumeName(driver, handle), noPod);
    await this.#write();
  }

  /** Whether the volume was used by nobody until now. */
  #use(unique: string, user: string): boolean {
    const users = this.#users.get(unique);
    if (users) users.add(user);
    else this.#users.set(unique, new Set([user]));
    return users === undefined;
  }

  #leave(unique: string, user: string): void {
    const users = this.#users.get(unique);
    users?.delete(user);
    if (users?.size === 0) this.#users.delete(unique);
  }

  /** Something was attached, or detached. */
  onChange(listener: () => void): () => void {
    let before = "";
    const look = (node: corev1.Node) => {
      const now = JSON.stringify(node.status?.volumesAttached ?? []);
      if (now === before) return;
      before = now;
      listener();
    };
    return this.#options.node.addHandler({ added: look, updated: (_, node) => look(node) });
  }

  #node(): corev1.Node | undefined {
    return this.#options.node.get(this.#options.nodeName);
  }

  #write(): Promise<void> {
    const { log, nodeName: name, transport } = this.#options;
    const turn = this.#turn.then(async () => {
      if (!this.#isKnown) return;
      const volumesInUse = [...this.#users.keys()].sort();
      const told = [...(this.#node()?.status?.volumesInUse ?? [])].sort();
      if (JSON.stringify(told) === JSON.stringify(volumesInUse)) return;
      const body = { status: { volumesInUse } };
      await transport.request({
        ...{ verb: "patch", resource: nodes, subresource: "status", name },
        patch: { type: "merge", body },
      });
    });
    this.#turn = turn.catch((error) => {
      log.warn({ error: messageOf(error) }, "the volumes in use could not be told");
    });
    return turn;
  }
}
