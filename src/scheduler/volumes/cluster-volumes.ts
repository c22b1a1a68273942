import {
  boundVolume,
  classOfVolume,
  type corev1,
  selectedNodeAnnotation,
  type storagev1,
} from "../../api/index.ts";
import type { Clock } from "../../base/index.ts";
import {
  csiDrivers,
  csiNodes,
  csiStorageCapacities,
  type Informer,
  type InformerFactory,
  persistentVolumeClaims,
  persistentVolumes,
  storageClasses,
  type Transport,
  volumeAttachments,
} from "../../client/index.ts";
import { keyOf } from "../../machinery/index.ts";
import { AssumedCopies } from "./assumed-copies.ts";
import type { VolumePlan } from "./plan-volumes.ts";
import { isBound } from "./pod-claims.ts";
import type { VolumeView } from "./volume-view.ts";

type Claim = corev1.PersistentVolumeClaim;
type Volume = corev1.PersistentVolume;

/** As upstream's `bindTimeoutSeconds`: then the pod is placed anew. */
const bindMsMax = 600_000;

/** A plan that is being carried out for a pod on a node. */
export interface VolumeBinding extends VolumePlan {
  node: string;
}

/**
 * What the scheduler knows of volumes, and what it decides about them: volumes for claims that waited for their pod are
 * reserved, or asked for, and the pod is bound when its claims are. Counterpart upstream: `volumebinding.volumeBinder`.
 */
export class ClusterVolumes implements VolumeView {
  readonly #claimInformer: Informer<Claim>;
  readonly #volumeInformer: Informer<Volume>;
  readonly #classes: Informer<storagev1.StorageClass>;
  readonly #csiNodes: Informer<storagev1.CSINode>;
  readonly #csiDrivers: Informer<storagev1.CSIDriver>;
  readonly #capacities: Informer<storagev1.CSIStorageCapacity>;
  readonly #attachments: Informer<storagev1.VolumeAttachment>;
  readonly #claims: AssumedCopies<Claim>;
  readonly #volumes: AssumedCopies<Volume>;
  readonly #listeners = new Set<() => void>();

  constructor(informers: InformerFactory) {
    this.#claimInformer = informers.informer<Claim>(persistentVolumeClaims);
    this.#volumeInformer = informers.informer<Volume>(persistentVolumes, {
      indexers: { class: (volume) => [classOfVolume(volume)] },
    });
    this.#classes = informers.informer<storagev1.StorageClass>(storageClasses);
    this.#csiNodes = informers.informer<storagev1.CSINode>(csiNodes);
    this.#csiDrivers = informers.informer<storagev1.CSIDriver>(csiDrivers);
    this.#capacities = informers.informer<storagev1.CSIStorageCapacity>(csiStorageCapacities, {
      indexers: { class: ({ storageClassName }) => [storageClassName] },
    });
    this.#attachments = informers.informer<storagev1.VolumeAttachment>(volumeAttachments, {
      indexers: { node: ({ spec }) => [spec.nodeName] },
    });
    this.#claims = new AssumedCopies(this.#claimInformer);
    this.#volumes = new AssumedCopies(this.#volumeInformer);
  }

  /** Calls `listener` when something that decides about volumes came, went or changed. Returns the way to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(signal: AbortSignal): void {
    const changed = () => {
      for (const listener of [...this.#listeners]) listener();
    };
    const handler = { added: changed, updated: changed, deleted: changed };
    const informers = [
      this.#claimInformer,
      this.#volumeInformer,
      this.#classes,
      this.#csiNodes,
      this.#csiDrivers,
      this.#capacities,
      this.#attachments,
    ];
    const stops = informers.map((each) => (each as Informer).addHandler(handler));
    signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
    });
  }

  claim(namespace: string, name: string): Claim | undefined {
    return this.#claims.get(`${namespace}/${name}`);
  }

  volume(name: string): Volume | undefined {
    return this.#volumes.get(name);
  }

  volumesOfClass(name: string): Volume[] {
    return this.#volumes.byIndex("class", name);
  }

  storageClass(name: string): storagev1.StorageClass | undefined {
    return this.#classes.get(name);
  }

  tellsCapacity(driver: string): boolean {
    return this.#csiDrivers.get(driver)?.spec.storageCapacity === true;
  }

  capacitiesOfClass(name: string): storagev1.CSIStorageCapacity[] {
    return this.#capacities.byIndex("class", name);
  }

  volumeLimits(nodeName: string): ReadonlyMap<string, number> {
    const drivers = this.#csiNodes.get(nodeName)?.spec.drivers ?? [];
    return new Map(
      drivers.flatMap(({ name, allocatable }) =>
        allocatable?.count === undefined ? [] : [[name, allocatable.count] as const],
      ),
    );
  }

  attachedTo(nodeName: string): readonly string[] {
    return this.#attachments
      .byIndex("node", nodeName)
      .flatMap(({ spec }) => spec.source.persistentVolumeName ?? []);
  }

  /** From now on the plan counts for other decisions. */
  assume({ bind, node, provision }: VolumeBinding): void {
    for (const { claim, volume } of bind) this.#volumes.assume(boundVolume(volume, claim));
    for (const claim of provision) this.#claims.assume(selected(claim, node));
  }

  takeBack({ bind, provision }: VolumeBinding): void {
    for (const { volume } of bind) this.#volumes.takeBack(keyOf(volume));
    for (const claim of provision) this.#claims.takeBack(keyOf(claim));
  }

  /** Writes what the plan says; what is written already stays as it is. */
  async write(transport: Transport, { bind, node, provision }: VolumeBinding): Promise<void> {
    for (const { claim, volume } of bind) {
      const body = boundVolume(volume, claim);
      if (body === volume) continue;
      const { object } = await transport.request({
        verb: "update",
        resource: persistentVolumes,
        name: volume.metadata.name,
        body,
      });
      this.#volumes.assume(object);
    }
    for (const claim of provision) {
      const body = selected(claim, node);
      if (body === claim) continue;
      const { name, namespace } = claim.metadata;
      const { object } = await transport.request({
        verb: "update",
        resource: persistentVolumeClaims,
        namespace,
        name,
        body,
      });
      this.#claims.assume(object);
    }
  }

  /** Resolves once every claim of the plan is bound; rejects when one will not be, or it takes too long. */
  untilBound(binding: VolumeBinding, clock: Clock, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        stop();
        timer.cancel();
        signal.removeEventListener("abort", aborted);
        settle();
      };
      const look = () => {
        try {
          if (this.#areBound(binding)) end(resolve);
        } catch (error) {
          end(() => reject(error));
        }
      };
      const aborted = () => end(() => reject(signal.reason));
      const stop = this.onChange(look);
      const timer = clock.after(bindMsMax, () => end(() => reject(new Error("context deadline exceeded"))));
      signal.addEventListener("abort", aborted);
      if (signal.aborted) aborted();
      else look();
    });
  }

  #areBound({ bind, node, provision }: VolumeBinding): boolean {
    const claims = [...bind.map(({ claim }) => claim), ...provision].map((claim) => {
      const now = this.#claims.get(keyOf(claim));
      if (!now || now.metadata.uid !== claim.metadata.uid)
        throw new Error(`failed to check binding: could not find persistentvolumeclaim "${keyOf(claim)}"`);
      return now;
    });
    for (const { volume } of bind) {
      const now = this.#volumes.get(volume.metadata.name!);
      if (!now) throw new Error(`failed to check binding: could not find pv "${volume.metadata.name}"`);
      if (!now.spec?.claimRef?.uid) throw new Error(`ClaimRef got reset for pv "${volume.metadata.name}"`);
    }
    for (const claim of claims.slice(bind.length)) {
      // Its provisioner gave up, and left it to whoever places the pod again.
      if (claim.metadata.annotations?.[selectedNodeAnnotation] !== node)
        throw new Error(`provisioning failed for PVC "${claim.metadata.name}"`);
    }
    return claims.every(isBound);
  }
}

/** The claim as its provisioner is to see it; the same object if it is already. */
function selected(claim: Claim, node: string): Claim {
  const { annotations } = claim.metadata;
  return annotations?.[selectedNodeAnnotation] === node
    ? claim
    : {
        ...claim,
        metadata: { ...claim.metadata, annotations: { ...annotations, [selectedNodeAnnotation]: node } },
      };
}
