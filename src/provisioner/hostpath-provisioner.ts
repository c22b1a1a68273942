import {
  classOfClaim,
  type corev1,
  defaultClassAnnotations,
  provisionedByAnnotation,
  provisionedFinalizer,
  provisionerAnnotation,
  selectedNodeAnnotation,
  type storagev1,
} from "../api/index.ts";
import type { Clock, Log } from "../base/index.ts";
import {
  type Client,
  createWorkqueue,
  type EventRecorder,
  type Informer,
  type InformerFactory,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  runWorkers,
  storageClasses,
} from "../client/index.ts";
import { isStatus, keyOf, parseQuantity } from "../machinery/index.ts";
import { provisionedVolume, refusalOf, volumeNameFor, wantsMore } from "./provisioned-volume.ts";
import { VolumeDirectory } from "./volume-directory.ts";

type Volume = corev1.PersistentVolume;
type Claim = corev1.PersistentVolumeClaim;

export const provisionerName = "peapod.dev/hostpath";
const defaultClassName = "standard";
const workers = 4;

export interface HostPathProvisionerOptions {
  client: Client;
  informers: InformerFactory;
  recorder: EventRecorder;
  clock: Clock;
  log: Log;
  nodeName: string;
  /** Where this node's volumes stand. */
  dir: string;
}

/**
 * Makes and removes the volumes of the class every cluster begins with, on one node. To Kubernetes it is an external
 * provisioner like any other: it is asked by annotations. Counterpart upstream: `sig-storage-lib-external-provisioner`.
 *
 * - A claim whose pod was placed on another node is that node's.
 * - What is made has the claim's uid for a name: made twice, it is one. It is removed before its object goes.
 */
export class HostPathProvisioner {
  readonly #options: HostPathProvisionerOptions;
  readonly #directory: VolumeDirectory;
  readonly #claims: Informer<Claim>;
  readonly #volumes: Informer<Volume>;
  readonly #classes: Informer<storagev1.StorageClass>;
  readonly #nodes: Informer<corev1.Node>;
  readonly #queue;

  constructor(options: HostPathProvisionerOptions) {
    const { clock, dir, informers } = options;
    this.#options = options;
    this.#directory = new VolumeDirectory(dir);
    this.#claims = informers.informer<Claim>(persistentVolumeClaims);
    this.#volumes = informers.informer<Volume>(persistentVolumes);
    this.#classes = informers.informer<storagev1.StorageClass>(storageClasses);
    this.#nodes = informers.informer<corev1.Node>(nodes);
    this.#queue = createWorkqueue({ clock });
  }

  async start(signal: AbortSignal): Promise<void> {
    const { informers, log } = this.#options;
    await informers.start(signal);
    await this.#ensureClass();
    const ofClaim = (claim: Claim) => this.#queue.add(`claim:${keyOf(claim)}`);
    const ofVolume = (volume: Volume) => {
      if (isOurs(volume)) this.#queue.add(`volume:${volume.metadata.name}`);
    };
    const stops = [
      this.#claims.addHandler({ added: ofClaim, updated: (_, claim) => ofClaim(claim) }),
      this.#volumes.addHandler({ added: ofVolume, updated: (_, volume) => ofVolume(volume) }),
      // Claims that came before the node's object did.
      this.#nodes.addHandler({
        added: ({ metadata }) => {
          if (metadata.name === this.#options.nodeName)
            for (const claim of this.#claims.list()) ofClaim(claim);
        },
      }),
    ];
    signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
    });
    void runWorkers({ queue: this.#queue, workers, reconcile: (key) => this.#reconcile(key), signal, log });
  }

  /** There is one from the start, as in other clusters for one machine; whether it stays the default is the user's. */
  async #ensureClass(): Promise<void> {
    if (this.#classes.get(defaultClassName)) return;
    try {
      await this.#options.client.resource<storagev1.StorageClass>(storageClasses).create({
        apiVersion: "storage.k8s.io/v1",
        kind: "StorageClass",
        metadata: { name: defaultClassName, annotations: { [defaultClassAnnotations[0]]: "true" } },
        provisioner: provisionerName,
        reclaimPolicy: "Delete",
        volumeBindingMode: "WaitForFirstConsumer",
        allowVolumeExpansion: true,
      });
    } catch (error) {
      if (!isStatus(error, "AlreadyExists")) throw error;
    }
  }

  async #reconcile(key: string): Promise<void> {
    const [what, name] = [key.slice(0, key.indexOf(":")), key.slice(key.indexOf(":") + 1)];
    if (what === "volume") {
      const volume = this.#volumes.get(name);
      if (volume && this.#isHere(volume)) await this.#syncVolume(volume);
      return;
    }
    const claim = this.#claims.get(name);
    if (!claim) return;
    if (!claim.spec?.volumeName) await this.#provision(claim);
    else if (wantsMore(claim)) await this.#expand(claim);
  }

  async #provision(claim: Claim): Promise<void> {
    const { annotations = {}, deletionTimestamp } = claim.metadata;
    if (annotations[provisionerAnnotation] !== provisionerName || deletionTimestamp) return;
    const storageClass = this.#classes.get(classOfClaim(claim));
    const node = this.#nodes.get(this.#options.nodeName);
    if (storageClass?.provisioner !== provisionerName || !node) return;
    const selected = annotations[selectedNodeAnnotation];
    if (selected === undefined && storageClass.volumeBindingMode === "WaitForFirstConsumer") return;
    if (selected !== undefined && selected !== this.#options.nodeName) return;
    const name = volumeNameFor(claim);
    if (this.#volumes.get(name)) return;
    const { recorder, client } = this.#options;
    const described = `"${claim.metadata.namespace}/${claim.metadata.name}"`;
    const begun = `External provisioner is provisioning volume for claim ${described}`;
    recorder.event(claim, "Normal", "Provisioning", begun);
    try {
      const refused = refusalOf(claim, storageClass, await this.#directory.sizeBytesMax());
      if (refused) throw new Error(refused);
      const path = await this.#make(name, claim);
      const volume = provisionedVolume({ claim, storageClass, provisioner: provisionerName, node, path });
      await client.resource<Volume>(persistentVolumes).create(volume);
    } catch (error) {
      if (isStatus(error, "AlreadyExists")) return;
      const message = `failed to provision volume with StorageClass "${storageClass.metadata.name}": ${(error as Error).message}`;
      recorder.event(claim, "Warning", "ProvisioningFailed", message);
      if (selected !== undefined) await this.#giveBack(claim);
      throw error;
    }
    recorder.event(claim, "Normal", "ProvisioningSucceeded", `Successfully provisioned volume ${name}`);
  }

  #make(name: string, { spec }: Claim): Promise<string> {
    return spec?.volumeMode === "Block"
      ? this.#directory.makeFile(name, parseQuantity(spec.resources!.requests!.storage!).value())
      : this.#directory.makeFolder(name);
  }

  /** The scheduler chooses again: another node may do what this one cannot. */
  async #giveBack(claim: Claim): Promise<void> {
    const { name, namespace, resourceVersion } = claim.metadata;
    const annotations = { [selectedNodeAnnotation]: null };
    await this.#options.client
      .resource<Claim>(persistentVolumeClaims)
      .patch(namespace, name!, "merge", { metadata: { resourceVersion, annotations } })
      .catch((error: unknown) => {
        if (!isStatus(error, "Conflict") && !isStatus(error, "NotFound")) throw error;
      });
  }

  async #syncVolume(volume: Volume): Promise<void> {
    const { deletionTimestamp, finalizers = [] } = volume.metadata;
    const goesWithClaim = volume.spec?.persistentVolumeReclaimPolicy === "Delete";
    const isFree = volume.status?.phase === "Released" || volume.status?.phase === "Failed";
    if (goesWithClaim && (isFree || (deletionTimestamp && volume.status?.phase !== "Bound")))
      return this.#remove(volume);
    const isHeld = finalizers.includes(provisionedFinalizer);
    // Its policy may be changed at any time.
    if (goesWithClaim && !isHeld && !deletionTimestamp)
      await this.#setFinalizers(volume, [...finalizers, provisionedFinalizer]);
    else if (!goesWithClaim && isHeld) await this.#letGo(volume);
  }

  async #remove(volume: Volume): Promise<void> {
    const { client, recorder } = this.#options;
    const { deletionTimestamp, finalizers = [], name, uid } = volume.metadata;
    if (deletionTimestamp && !finalizers.includes(provisionedFinalizer)) return;
    try {
      await this.#directory.remove(name!);
    } catch (error) {
      recorder.event(volume, "Warning", "VolumeFailedDelete", (error as Error).message);
      throw error;
    }
    const volumes = client.resource<Volume>(persistentVolumes);
    try {
      if (!deletionTimestamp) await volumes.delete(undefined, name!, { preconditions: { uid } });
      await this.#letGo(await volumes.get(undefined, name!));
    } catch (error) {
      if (!isStatus(error, "NotFound")) throw error;
    }
  }

  #letGo(volume: Volume): Promise<void> {
    const finalizers = volume.metadata.finalizers ?? [];
    return this.#setFinalizers(
      volume,
      finalizers.filter((each) => each !== provisionedFinalizer),
    );
  }

  async #setFinalizers({ metadata }: Volume, finalizers: string[]): Promise<void> {
    const { name, resourceVersion, uid } = metadata;
    const body = { metadata: { uid, resourceVersion, finalizers } };
    await this.#options.client
      .resource<Volume>(persistentVolumes)
      .patch(undefined, name!, "merge", body)
      .catch((error: unknown) => {
        if (!isStatus(error, "NotFound")) throw error;
      });
  }

  async #expand(claim: Claim): Promise<void> {
    const volume = this.#volumes.get(claim.spec!.volumeName!);
    const storageClass = this.#classes.get(classOfClaim(claim));
    if (!volume || !storageClass || !isOurs(volume) || !this.#isHere(volume)) return;
    const { client, recorder } = this.#options;
    const storage = claim.spec!.resources!.requests!.storage!;
    const bytes = parseQuantity(storage).value();
    const sizeBytesMax = await this.#directory.sizeBytesMax();
    if (bytes > sizeBytesMax) {
      const message = `${storage} were asked for, and the file system holds ${sizeBytesMax} bytes`;
      recorder.event(claim, "Warning", "VolumeResizeFailed", message);
      return;
    }
    if (volume.spec!.volumeMode === "Block") await this.#directory.makeFile(volume.metadata.name!, bytes);
    await client
      .resource<Volume>(persistentVolumes)
      .patch(undefined, volume.metadata.name!, "merge", { spec: { capacity: { storage } } });
    const { name, namespace } = claim.metadata;
    const status = { capacity: { storage } };
    await client
      .resource<Claim>(persistentVolumeClaims)
      .patch(namespace, name!, "merge", { status }, { subresource: "status" });
    recorder.event(claim, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded");
  }

  /** What stands at the place of this node's own, under the name it was given. */
  #isHere({ metadata, spec }: Volume): boolean {
    return spec?.local?.path === this.#directory.path(metadata.name!);
  }
}

const isOurs = ({ metadata }: Volume) => metadata.annotations?.[provisionedByAnnotation] === provisionerName;
