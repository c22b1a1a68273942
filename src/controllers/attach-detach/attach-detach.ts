import {
  attachmentName,
  claimsOfPod,
  type corev1,
  type storagev1,
  uniqueVolumeName,
  volumeOfUniqueName,
} from "../../api/index.ts";
import {
  createWorkqueue,
  csiDrivers,
  type EventRecorder,
  type Informer,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  runWorkers,
  volumeAttachments,
} from "../../client/index.ts";
import { isStatus, type KubeObject, parseTime } from "../../machinery/index.ts";
import type { Controller, ControllerContext } from "../controller.ts";
import { AttachedVolumes } from "./attached-volumes.ts";
import {
  type AttachmentView,
  allowsManyNodes,
  multiAttachMessage,
  planAttachments,
  type Step,
} from "./plan.ts";

type Volume = corev1.PersistentVolume & KubeObject;
type Claim = corev1.PersistentVolumeClaim & KubeObject;
type Pod = corev1.Pod & KubeObject;
type Node = corev1.Node & KubeObject;
type Attachment = storagev1.VolumeAttachment & KubeObject;

const workers = 4;
const outOfServiceTaint = "node.kubernetes.io/out-of-service";

/**
 * Has volumes of CSI drivers attached to the nodes that pods need them on, and detached when no pod does: a
 * VolumeAttachment is the wish, the driver's attacher fulfils it, and the node's status says what came of it.
 * Counterpart upstream: `pkg/controller/volume/attachdetach`.
 */
export class AttachDetachController implements Controller {
  readonly name = "attachdetach-controller";
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  readonly #pods: Informer<Pod>;
  readonly #claims: Informer<Claim>;
  readonly #volumes: Informer<Volume>;
  readonly #nodes: Informer<Node>;
  readonly #attachments: Informer<Attachment>;
  readonly #drivers: Informer<storagev1.CSIDriver & KubeObject>;
  readonly #attached: AttachedVolumes;
  readonly #queue;
  /** By attachment: since when it is to go. Lost with the process, which only makes a sick node's last longer. */
  readonly #detachingSinceMs = new Map<string, number>();
  /** What pods have been told of a volume and node, so that it is told once. */
  readonly #told = new Map<string, string>();

  constructor(context: ControllerContext) {
    const { informers } = context;
    this.#context = context;
    this.#recorder = context.recorder(this.name);
    this.#pods = informers.informer<Pod>(pods, {
      indexers: {
        claim: (pod) => claimsOfPod(pod).map(({ claimName }) => `${pod.metadata.namespace}/${claimName}`),
      },
    });
    this.#claims = informers.informer<Claim>(persistentVolumeClaims, {
      indexers: { volume: ({ spec }) => (spec?.volumeName ? [spec.volumeName] : []) },
    });
    this.#volumes = informers.informer<Volume>(persistentVolumes, {
      indexers: {
        unique: ({ spec }) => (spec?.csi ? [uniqueVolumeName(spec.csi.driver, spec.csi.volumeHandle)] : []),
      },
    });
    this.#nodes = informers.informer<Node>(nodes);
    this.#attachments = informers.informer<Attachment>(volumeAttachments, {
      indexers: {
        volume: ({ spec }) => (spec.source.persistentVolumeName ? [spec.source.persistentVolumeName] : []),
        node: ({ spec }) => [spec.nodeName],
      },
    });
    this.#drivers = informers.informer(csiDrivers);
    this.#attached = new AttachedVolumes({ client: context.client, nodes: this.#nodes });
    this.#queue = createWorkqueue({ clock: context.clock });
  }

  async start(signal: AbortSignal): Promise<void> {
    const { informers, log } = this.#context;
    await informers.start(signal);
    const ofAll = <T>(look: (object: T) => void) => ({
      added: look,
      updated: (_: T, after: T) => look(after),
      deleted: look,
    });
    const add = (volumeName: string | undefined) => {
      if (volumeName) this.#queue.add(volumeName);
    };
    const stops = [
      this.#pods.addHandler(ofAll((pod) => this.#volumesOf(pod).forEach(add))),
      this.#claims.addHandler(ofAll((claim) => add(claim.spec?.volumeName))),
      this.#volumes.addHandler(
        ofAll((volume) => {
          if (volume.spec?.csi) add(volume.metadata.name);
        }),
      ),
      this.#attachments.addHandler(ofAll((attachment) => this.#attachedAs(attachment).forEach(add))),
      this.#nodes.addHandler(
        ofAll(({ metadata }) => {
          for (const { spec } of this.#attachments.byIndex("node", metadata.name!))
            add(spec.source.persistentVolumeName);
        }),
      ),
      this.#drivers.addHandler(
        ofAll(({ metadata }) => {
          for (const volume of this.#volumes.list())
            if (volume.spec?.csi?.driver === metadata.name) add(volume.metadata.name);
        }),
      ),
    ];
    signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
    });
    void runWorkers({ queue: this.#queue, workers, reconcile: (key) => this.#reconcile(key), signal, log });
  }

  /** Several persistent volumes may stand for one volume of a driver: they share its attachments. */
  #attachedAs({ spec }: Attachment): string[] {
    const name = spec.source.persistentVolumeName;
    const csi = this.#volumes.get(name ?? "")?.spec?.csi;
    if (!csi) return name ? [name] : [];
    return this.#volumes.byIndex("unique", uniqueVolumeName(csi.driver, csi.volumeHandle)).map(nameOf);
  }

  #volumesOf(pod: Pod): string[] {
    return claimsOfPod(pod).flatMap(
      ({ claimName }) => this.#claims.get(`${pod.metadata.namespace}/${claimName}`)?.spec?.volumeName ?? [],
    );
  }

  async #reconcile(volumeName: string): Promise<{ afterMs: number } | undefined> {
    const volume = this.#volumes.get(volumeName);
    const attachments = this.#attachments.byIndex("volume", volumeName).filter(isOurs);
    const isAttachable = volume?.spec?.csi !== undefined && this.#isAttachRequired(volume);
    if (!isAttachable && attachments.length === 0) return undefined;
    const users = isAttachable ? this.#usersOf(volumeName) : [];
    const byNode = podsByNode(users);
    const nowMs = this.#context.clock.now();
    const views = attachments.map((each) => this.#view(each, volume, byNode.has(each.spec.nodeName), nowMs));
    const { driver: name = "", volumeHandle: handle = "" } = volume?.spec?.csi ?? {};
    const steps = planAttachments(
      {
        wanted: new Set(byNode.keys()),
        attachments: views,
        allowsManyNodes: volume === undefined || allowsManyNodes(volume),
      },
      { name, handle },
      nowMs,
    );
    for (const step of steps) await this.#perform(step, volume, users);
    for (const each of attachments) await this.#tellNode(each, volume, byNode.get(each.spec.nodeName) ?? []);
    const waits = steps.flatMap((step) => (step.do === "wait" ? [step.ms] : []));
    return waits.length > 0 ? { afterMs: Math.min(...waits) } : undefined;
  }

  /** Pods with the volume that run on a node, or will. One that has ended needs it no more. */
  #usersOf(volumeName: string): Pod[] {
    return this.#claims
      .byIndex("volume", volumeName)
      .flatMap(({ metadata }) => this.#pods.byIndex("claim", `${metadata.namespace}/${metadata.name}`))
      .filter(
        ({ spec, status }) => spec?.nodeName && status?.phase !== "Succeeded" && status?.phase !== "Failed",
      );
  }

  #isAttachRequired({ spec }: Volume): boolean {
    return this.#drivers.get(spec!.csi!.driver)?.spec.attachRequired !== false;
  }

  #view(
    attachment: Attachment,
    volume: Volume | undefined,
    isWanted: boolean,
    nowMs: number,
  ): AttachmentView {
    const { metadata, spec, status } = attachment;
    const name = metadata.name!;
    if (isWanted) this.#detachingSinceMs.delete(name);
    else if (!this.#detachingSinceMs.has(name)) this.#detachingSinceMs.set(name, nowMs);
    const node = this.#nodes.get(spec.nodeName);
    const unique = uniqueNameOf(attachment, volume, node);
    return {
      name,
      nodeName: spec.nodeName,
      createdAtMs: parseTime(metadata.creationTimestamp!) ?? nowMs,
      isAttached: status?.attached === true,
      isDeleting: metadata.deletionTimestamp !== undefined,
      error: status?.attachError?.message,
      isInUse: unique !== undefined && (node?.status?.volumesInUse ?? []).includes(unique),
      node: healthOf(node),
      detachingSinceMs: this.#detachingSinceMs.get(name),
    };
  }

  async #perform(step: Step, volume: Volume | undefined, users: readonly Pod[]): Promise<void> {
    switch (step.do) {
      case "attach":
        return this.#attach(volume!, step.nodeName);
      case "detach":
        return this.#detach(step.attachment, step.even);
      case "refuse": {
        const others = users.filter(({ spec }) => step.elsewhere.includes(spec!.nodeName!));
        for (const pod of users.filter(({ spec }) => spec!.nodeName === step.nodeName)) {
          const why = multiAttachMessage(pod, others);
          this.#tellPod(pod, volume!, "Warning", `Multi-Attach error for volume "${nameOf(volume!)}" ${why}`);
        }
        return;
      }
      case "tell":
        for (const pod of users.filter(({ spec }) => spec!.nodeName === step.nodeName)) {
          const message = `AttachVolume.Attach failed for volume "${nameOf(volume!)}" : ${step.failure}`;
          this.#tellPod(pod, volume!, "Warning", message);
        }
        return;
      case "wait":
        return;
    }
  }

  async #attach(volume: Volume, nodeName: string): Promise<void> {
    const { driver, volumeHandle } = volume.spec!.csi!;
    try {
      await this.#context.client.resource<Attachment>(volumeAttachments).create({
        apiVersion: "storage.k8s.io/v1",
        kind: "VolumeAttachment",
        metadata: { name: attachmentName(volumeHandle, driver, nodeName) },
        spec: { attacher: driver, nodeName, source: { persistentVolumeName: nameOf(volume) } },
      });
    } catch (error) {
      if (!isStatus(error, "AlreadyExists")) throw error;
    }
  }

  /** The node is told first that it is not to mount it any more. */
  async #detach(name: string, even: "in use" | "unused"): Promise<void> {
    const attachment = this.#attachments.get(name);
    if (!attachment) return;
    const volume = this.#volumes.get(attachment.spec.source.persistentVolumeName ?? "");
    const node = this.#nodes.get(attachment.spec.nodeName);
    const unique = uniqueNameOf(attachment, volume, node);
    // A node that has just said that it mounts it is looked at again when that is seen here.
    if (unique && (await this.#attached.remove(attachment.spec.nodeName, unique, even)) === "in use") return;
    try {
      await this.#context.client.resource<Attachment>(volumeAttachments).delete(undefined, name);
    } catch (error) {
      if (!isStatus(error, "NotFound")) throw error;
    }
    this.#detachingSinceMs.delete(name);
  }

  async #tellNode(attachment: Attachment, volume: Volume | undefined, users: readonly Pod[]): Promise<void> {
    const { metadata, spec, status } = attachment;
    if (!volume?.spec?.csi || !status?.attached || metadata.deletionTimestamp || users.length === 0) return;
    const unique = uniqueVolumeName(volume.spec.csi.driver, volume.spec.csi.volumeHandle);
    await this.#attached.add(spec.nodeName, unique);
    for (const pod of users) {
      const message = `AttachVolume.Attach succeeded for volume "${nameOf(volume)}" `;
      this.#tellPod(pod, volume, "Normal", message);
    }
  }

  /** Each pod is told of each volume what it has not been told last. */
  #tellPod(pod: Pod, volume: Volume, type: "Normal" | "Warning", message: string): void {
    const key = `${pod.metadata.uid}/${nameOf(volume)}`;
    if (this.#told.get(key) === message) return;
    if (this.#told.size >= toldMax) this.#told.delete(this.#told.keys().next().value!);
    this.#told.set(key, message);
    // A container runs: it is long attached, and this process has only begun to look.
    const isOld = pod.status?.containerStatuses?.some(({ state }) => state?.running) === true;
    if (type === "Normal" && isOld) return;
    const reason = type === "Normal" ? "SuccessfulAttachVolume" : "FailedAttachVolume";
    this.#recorder.event(pod, type, reason, message);
  }
}

function podsByNode(users: readonly Pod[]): ReadonlyMap<string, Pod[]> {
  const byNode = new Map<string, Pod[]>();
  for (const pod of users) byNode.set(pod.spec!.nodeName!, [...(byNode.get(pod.spec!.nodeName!) ?? []), pod]);
  return byNode;
}

/** By its name. What others wish for is theirs to take back. */
const isOurs = ({ metadata }: Attachment) => /^csi-[0-9a-f]{64}$/.test(metadata.name!);

/** More than this is told again: an event more is better than memory without end. */
const toldMax = 10_000;

const nameOf = ({ metadata }: KubeObject) => metadata.name!;

/** Also of a volume whose object is gone: the node still calls it by its name. */
function uniqueNameOf(
  { metadata, spec }: Attachment,
  volume: Volume | undefined,
  node: Node | undefined,
): string | undefined {
  const { csi } = volume?.spec ?? {};
  if (csi) return uniqueVolumeName(csi.driver, csi.volumeHandle);
  const names = [
    ...(node?.status?.volumesInUse ?? []),
    ...(node?.status?.volumesAttached ?? []).map(({ name }) => name),
  ];
  return names.find((unique) => {
    const found = volumeOfUniqueName(unique);
    return found && attachmentName(found.handle, found.driver, spec.nodeName) === metadata.name;
  });
}

function healthOf(node: Node | undefined): AttachmentView["node"] {
  if (!node) return "gone";
  if (node.spec?.taints?.some(({ key }) => key === outOfServiceTaint)) return "out of service";
  const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
  return ready?.status === "True" ? "well" : "not well";
}
