import {
  bindCompletedAnnotation,
  claimNamesClass,
  claimsOfPod,
  classOfClaim,
  classOfVolume,
  type corev1,
  defaultClassOf,
  findMatchingVolume,
  isBoundTo,
  isDefaultClass,
  provisionedByAnnotation,
  selectedNodeAnnotation,
  type storagev1,
  volumeMismatch,
} from "../../api/index.ts";
import {
  createWorkqueue,
  type EventRecorder,
  type Informer,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  runWorkers,
  storageClasses,
} from "../../client/index.ts";
import { keyOf } from "../../machinery/index.ts";
import type { Controller, ControllerContext } from "../controller.ts";
import { FreshCopies } from "../fresh-copies.ts";
import { VolumeReclaim } from "./volume-reclaim.ts";
import { VolumeWrites } from "./volume-writes.ts";

type Volume = corev1.PersistentVolume;
type Claim = corev1.PersistentVolumeClaim;

/** Claims and volumes are each worked on by one at a time; different ones together. */
const workers = 4;

/**
 * Binds claims to volumes, and sees to it that volumes are made for them. Counterpart upstream:
 * `pkg/controller/volume/persistentvolume`.
 *
 * - A binding has two sides; the volume's is written first, and whoever is cut off between goes on from there.
 * - What a user has bound is never undone; what this controller has bound it may undo.
 * - It makes no volume itself: it asks the class's provisioner by an annotation.
 */
export class VolumeBinder implements Controller {
  readonly name = "persistentvolume-binder-controller";
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  readonly #volumeInformer: Informer<Volume>;
  readonly #claimInformer: Informer<Claim>;
  readonly #classes: Informer<storagev1.StorageClass>;
  readonly #pods: Informer<corev1.Pod>;
  readonly #volumes: FreshCopies<Volume>;
  readonly #claims: FreshCopies<Claim>;
  readonly #writes: VolumeWrites;
  readonly #reclaim: VolumeReclaim;
  readonly #queue;

  constructor(context: ControllerContext) {
    const { client, clock, informers } = context;
    this.#context = context;
    this.#recorder = context.recorder("persistentvolume-controller");
    this.#volumeInformer = informers.informer<Volume>(persistentVolumes);
    this.#claimInformer = informers.informer<Claim>(persistentVolumeClaims, {
      indexers: {
        pendingOfClass: (claim) => (claim.status?.phase === "Pending" ? [classOfClaim(claim)] : []),
      },
    });
    this.#classes = informers.informer<storagev1.StorageClass>(storageClasses);
    this.#pods = informers.informer<corev1.Pod>(pods, {
      indexers: {
        claim: (pod) => claimsOfPod(pod).map(({ claimName }) => `${pod.metadata.namespace}/${claimName}`),
      },
    });
    this.#volumes = new FreshCopies(this.#volumeInformer);
    this.#claims = new FreshCopies(this.#claimInformer);
    this.#writes = new VolumeWrites(client, this.#volumes, this.#claims);
    this.#reclaim = new VolumeReclaim(client, this.#writes, this.#recorder);
    this.#queue = createWorkqueue({ clock });
  }

  async start(signal: AbortSignal): Promise<void> {
    const { informers, log } = this.#context;
    await informers.start(signal);
    this.#volumes.start(signal);
    this.#claims.start(signal);
    const stops = [
      this.#volumeInformer.addHandler({
        added: (volume) => this.#volumeChanged(volume),
        updated: (_, volume) => this.#volumeChanged(volume),
        deleted: (volume) => this.#claimOf(volume),
      }),
      this.#claimInformer.addHandler({
        added: (claim) => this.#claimChanged(claim),
        updated: (_, claim) => this.#claimChanged(claim),
        deleted: (claim) => this.#volumeOf(claim),
      }),
      this.#classes.addHandler({
        added: (each) => this.#classChanged(each),
        updated: (_, each) => this.#classChanged(each),
      }),
      this.#pods.addHandler({ added: (pod) => this.#podAdded(pod) }),
    ];
    signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
    });
    void runWorkers({ queue: this.#queue, workers, reconcile: (key) => this.#reconcile(key), signal, log });
  }

  #volumeChanged(volume: Volume): void {
    this.#queue.add(`volume:${volume.metadata.name}`);
    this.#claimOf(volume);
    if (volume.status?.phase === "Available") this.#pendingOf(classOfVolume(volume));
  }

  #claimOf(volume: Volume): void {
    const { name, namespace } = volume.spec?.claimRef ?? {};
    if (name) this.#queue.add(`claim:${namespace}/${name}`);
  }

  #claimChanged(claim: Claim): void {
    this.#queue.add(`claim:${keyOf(claim)}`);
    this.#volumeOf(claim);
  }

  #volumeOf(claim: Claim): void {
    if (claim.spec?.volumeName) this.#queue.add(`volume:${claim.spec.volumeName}`);
  }

  #classChanged(storageClass: storagev1.StorageClass): void {
    this.#pendingOf(storageClass.metadata.name!);
    // Those that name none get it.
    if (isDefaultClass(storageClass)) this.#pendingOf("");
  }

  #pendingOf(className: string): void {
    for (const claim of this.#claimInformer.byIndex("pendingOfClass", className))
      this.#queue.add(`claim:${keyOf(claim)}`);
  }

  /** A claim that waits for its first pod tells which one it is. */
  #podAdded(pod: corev1.Pod): void {
    if (pod.spec?.nodeName) return;
    for (const { claimName } of claimsOfPod(pod))
      this.#queue.add(`claim:${pod.metadata.namespace}/${claimName}`);
  }

  async #reconcile(key: string): Promise<void> {
    const [what, name] = [key.slice(0, key.indexOf(":")), key.slice(key.indexOf(":") + 1)];
    if (what === "volume") {
      const volume = this.#volumes.get(name);
      if (volume) await this.#syncVolume(volume);
      return;
    }
    const claim = this.#claims.get(name);
    if (!claim) return;
    if (claim.metadata.annotations?.[bindCompletedAnnotation] === undefined) await this.#syncUnbound(claim);
    else await this.#syncBound(claim);
  }

  async #syncUnbound(claim: Claim): Promise<void> {
    const { volumeName } = claim.spec!;
    if (!volumeName) return this.#findVolume(claim);
    const volume = this.#volumes.get(volumeName);
    if (volume?.spec?.claimRef && isBoundTo(volume, claim)) return this.#writes.bind(volume, claim);
    if (volume?.spec?.claimRef) {
      const message = `volume "${volumeName}" already bound to a different claim.`;
      this.#recorder.event(claim, "Warning", "FailedBinding", message);
    } else if (volume) {
      const mismatch = volumeMismatch(volume, claim);
      if (mismatch === undefined) return this.#writes.bind(volume, claim);
      const message = `Cannot bind to requested volume "${volumeName}": ${mismatch}`;
      this.#recorder.event(claim, "Warning", "VolumeMismatch", message);
    }
    await this.#writes.setClaimStatus(claim, "Pending");
  }

  async #findVolume(claim: Claim): Promise<void> {
    const waits = this.#classes.get(classOfClaim(claim))?.volumeBindingMode === "WaitForFirstConsumer";
    const volume = findMatchingVolume(claim, this.#volumes.list(), waits ? { only: "kept" } : {});
    if (volume) return this.#writes.bind(volume, claim);
    if (!claimNamesClass(claim)) {
      const standard = defaultClassOf(this.#classes.list());
      if (standard) {
        await this.#writes.setClass(claim, standard.metadata.name!);
        return;
      }
    }
    if (claim.metadata.deletionTimestamp) return;
    if (waits && claim.metadata.annotations?.[selectedNodeAnnotation] === undefined) this.#tellWaiting(claim);
    else if (classOfClaim(claim) !== "") return this.#provision(claim);
    else {
      const message = "no persistent volumes available for this claim and no storage class is set";
      this.#recorder.event(claim, "Normal", "FailedBinding", message);
    }
    await this.#writes.setClaimStatus(claim, "Pending");
  }

  #tellWaiting(claim: Claim): void {
    const waiting = this.#pods
      .byIndex("claim", keyOf(claim))
      .filter(
        ({ spec, status }) => !spec?.nodeName && status?.phase !== "Failed" && status?.phase !== "Succeeded",
      )
      .map(({ metadata }) => metadata.name!);
    const [reason, message] =
      waiting.length === 0
        ? ["WaitForFirstConsumer", "waiting for first consumer to be created before binding"]
        : [
            "WaitForPodScheduled",
            `waiting for ${waiting.length === 1 ? "pod" : "pods"} ${waiting.join(",")} to be scheduled`,
          ];
    this.#recorder.event(claim, "Normal", reason, message);
  }

  async #provision(claim: Claim): Promise<void> {
    const name = classOfClaim(claim);
    const found = this.#classes.get(name);
    if (!found) {
      const message = `storageclass.storage.k8s.io "${name}" not found`;
      this.#recorder.event(claim, "Warning", "ProvisioningFailed", message);
      return;
    }
    const { provisioner } = found;
    // None of Kubernetes' own is left, and of "no-provisioner" it says the same, as upstream.
    if (provisioner.startsWith("kubernetes.io/")) {
      const message = `no volume plugin matched name: ${provisioner}`;
      this.#recorder.event(claim, "Warning", "ProvisioningFailed", message);
      return;
    }
    const asked = await this.#writes.setProvisioner(claim, provisioner);
    const message = `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`;
    this.#recorder.event(asked, "Normal", "ExternalProvisioning", message);
  }

  async #syncBound(claim: Claim): Promise<void> {
    const { volumeName } = claim.spec!;
    const volume = volumeName ? this.#volumes.get(volumeName) : undefined;
    if (!volume) {
      const what = volumeName ? "its PersistentVolume" : "reference to PersistentVolume";
      return this.#lose(claim, "ClaimLost", `Bound claim has lost ${what}. Data on the volume is lost!`);
    }
    const ref = volume.spec?.claimRef;
    if (!ref || ref.uid === claim.metadata.uid) return this.#writes.bind(volume, claim);
    const message = "Two claims are bound to the same volume, this one is bound incorrectly";
    return this.#lose(claim, "ClaimMisbound", message);
  }

  async #lose(claim: Claim, reason: string, message: string): Promise<void> {
    if (claim.status?.phase === "Lost") return;
    const lost = await this.#writes.setClaimStatus(claim, "Lost");
    this.#recorder.event(lost, "Warning", reason, message);
  }

  async #syncVolume(volume: Volume): Promise<void> {
    const ref = volume.spec?.claimRef;
    if (!ref?.uid) {
      await this.#writes.setPhase(volume, "Available");
      return;
    }
    const claim = await this.#liveClaim(ref);
    if (!claim) return this.#release(volume);
    if (!claim.spec?.volumeName) {
      if ((claim.spec?.volumeMode ?? "Filesystem") !== (volume.spec?.volumeMode ?? "Filesystem"))
        this.#tellModes(volume, claim);
      else this.#queue.add(`claim:${keyOf(claim)}`);
    } else if (claim.spec.volumeName === volume.metadata.name) await this.#writes.setPhase(volume, "Bound");
    else if (isMade(volume) && volume.spec?.persistentVolumeReclaimPolicy === "Delete")
      await this.#release(volume);
    else await this.#writes.unbind(volume);
  }

  /** The claim that a volume refers to, if it is that one and still there: a new one of its name is another. */
  async #liveClaim(ref: corev1.ObjectReference): Promise<Claim | undefined> {
    const known = this.#claims.get(`${ref.namespace}/${ref.name}`);
    if (known?.metadata.uid === ref.uid) return known;
    // The cache may be behind: nothing is released for its sake.
    const live = await this.#reclaim.readClaim(ref.namespace, ref.name!);
    return live?.metadata.uid === ref.uid ? live : undefined;
  }

  async #release(volume: Volume): Promise<void> {
    const isReleased = volume.status?.phase === "Released" || volume.status?.phase === "Failed";
    await this.#reclaim.reclaim(isReleased ? volume : await this.#writes.setPhase(volume, "Released"));
  }

  #tellModes(volume: Volume, claim: Claim): void {
    const why = "due to incompatible volumeMode.";
    const ofVolume = `Cannot bind PersistentVolume to requested PersistentVolumeClaim "${claim.metadata.name}" ${why}`;
    this.#recorder.event(volume, "Warning", "VolumeMismatch", ofVolume);
    const ofClaim = `Cannot bind PersistentVolume "${volume.metadata.name}" to requested PersistentVolumeClaim ${why}`;
    this.#recorder.event(claim, "Warning", "VolumeMismatch", ofClaim);
  }
}

const isMade = ({ metadata }: Volume) => metadata.annotations?.[provisionedByAnnotation] !== undefined;
