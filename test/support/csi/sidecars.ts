import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { corev1, storagev1 } from "../../../src/api/index.ts";
import { createLifetime, SystemClock, silentLog } from "../../../src/base/index.ts";
import {
  type Client,
  createClient,
  createHttpsTransport,
  createInformerFactory,
  createWorkqueue,
  persistentVolumeClaims,
  persistentVolumes,
  runWorkers,
  storageClasses,
  volumeAttachments,
} from "../../../src/client/index.ts";
import { wholeOf } from "../../../src/kubelet/container/quantities.ts";
import { RpcClient } from "../../../src/kubelet/plugins/rpc.ts";
import type { KubeObject } from "../../../src/machinery/index.ts";
import type { TestCluster } from "../cluster.ts";
import type { DriverProcess } from "./driver-process.ts";

type Claim = corev1.PersistentVolumeClaim & KubeObject;
type Volume = corev1.PersistentVolume & KubeObject;
type Attachment = storagev1.VolumeAttachment & KubeObject;
type Class = storagev1.StorageClass & KubeObject;

const clock = new SystemClock();
const finalizer = "csi.test/attached";
const timeoutMs = 30_000;

/**
 * What a driver's maker runs beside it in a cluster, as upstream's external-provisioner, external-attacher and
 * external-resizer: they
 * know the API and the driver's controller service, and nothing of the cluster's parts.
 */
export class Sidecars implements AsyncDisposable {
  readonly #driver: DriverProcess;
  readonly #controller: RpcClient;
  readonly #client: Client;
  readonly #transport: ReturnType<typeof createHttpsTransport>;
  readonly #ended = createLifetime();
  #done: Promise<unknown> = Promise.resolve();

  constructor(cluster: TestCluster, driver: DriverProcess) {
    const config = parse(readFileSync(cluster.kubeconfig, "utf8"));
    const decoded = (text: string) => Buffer.from(text, "base64").toString();
    const { server, "certificate-authority-data": ca } = config.clusters[0].cluster;
    const { "client-certificate-data": cert, "client-key-data": key } = config.users[0].user;
    this.#transport = createHttpsTransport({
      ...{ server, ca: decoded(ca), cert: decoded(cert), key: decoded(key), clock },
    });
    this.#client = createClient(this.#transport);
    this.#driver = driver;
    this.#controller = new RpcClient(driver.settings.socket, clock);
  }

  async start(): Promise<void> {
    const informers = createInformerFactory(this.#transport, { clock, log: silentLog });
    const claims = informers.informer<Claim>(persistentVolumeClaims);
    const volumes = informers.informer<Volume>(persistentVolumes);
    const attachments = informers.informer<Attachment>(volumeAttachments);
    const queue = createWorkqueue({ clock });
    await informers.start(this.#ended.signal);
    const add = (kind: string) => {
      const put = ({ metadata }: KubeObject) =>
        queue.add(`${kind}/${metadata.namespace ?? ""}/${metadata.name}`);
      return { added: put, updated: (_: unknown, after: KubeObject) => put(after) };
    };
    claims.addHandler(add("claim"));
    volumes.addHandler(add("volume"));
    attachments.addHandler(add("attachment"));
    const reconcile = async (item: string) => {
      const [kind, namespace, name] = item.split("/");
      const claim = kind === "claim" && claims.get(`${namespace}/${name}`);
      const volume = kind === "volume" && volumes.get(name!);
      const attachment = kind === "attachment" && attachments.get(name!);
      if (claim) await this.#provision(claim);
      if (claim) await this.#resize(claim);
      if (volume) await this.#delete(volume);
      if (attachment)
        await this.#attach(attachment, volumes.get(attachment.spec.source.persistentVolumeName!));
    };
    this.#done = runWorkers({ queue, workers: 2, reconcile, signal: this.#ended.signal, log: silentLog });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#done;
    this.#controller.close();
    this.#transport.close();
  }

  async #provision({ metadata, spec }: Claim): Promise<void> {
    const { name: driver } = this.#driver.settings;
    const asked = metadata.annotations?.["volume.kubernetes.io/storage-provisioner"];
    if (asked !== driver || spec?.volumeName) return;
    const classObject = await this.#client
      .resource<Class>(storageClasses)
      .get(undefined, spec!.storageClassName!);
    const waits = classObject.volumeBindingMode === "WaitForFirstConsumer";
    if (waits && !metadata.annotations?.["volume.kubernetes.io/selected-node"]) return;
    const name = `pvc-${metadata.uid}`;
    const isBlock = spec?.volumeMode === "Block";
    const { volume } = await this.#controller.call(
      "csi.v1.Controller",
      "CreateVolume",
      {
        name,
        capacityRange: { requiredBytes: wholeOf(spec!.resources!.requests!["storage"]!) },
        volumeCapabilities: [isBlock ? { block: {} } : { mount: {} }],
        parameters: classObject.parameters ?? {},
      },
      { timeoutMs },
    );
    const secret = classObject.parameters?.["secret"];
    const { uid, namespace, name: claimName } = metadata;
    await this.#client.resource<Volume>(persistentVolumes).create({
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name, annotations: { "pv.kubernetes.io/provisioned-by": driver } },
      spec: {
        capacity: { storage: spec!.resources!.requests!["storage"]! },
        accessModes: spec!.accessModes,
        volumeMode: spec!.volumeMode,
        persistentVolumeReclaimPolicy: classObject.reclaimPolicy,
        storageClassName: classObject.metadata.name,
        mountOptions: classObject.mountOptions,
        claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name: claimName, uid },
        csi: {
          driver,
          volumeHandle: volume!.volumeId,
          volumeAttributes: volume!.volumeContext,
          fsType: isBlock ? undefined : "ext4",
          ...(secret && { nodeStageSecretRef: { name: secret, namespace: "default" } }),
        },
      },
    });
  }

  /** As external-resizer: the driver's part; the rest is left to the node, and the claim says how far it is. */
  async #resize({ metadata, spec, status }: Claim): Promise<void> {
    const storage = spec?.resources?.requests?.["storage"];
    if (!spec?.volumeName || !storage || !status?.capacity) return;
    // As it is now: what was seen of it last may be from before it was made larger.
    const volume = await this.#client.resource<Volume>(persistentVolumes).get(undefined, spec.volumeName);
    const { csi, capacity } = volume.spec ?? {};
    if (csi?.driver !== this.#driver.settings.name) return;
    if (wholeOf(storage) <= wholeOf(capacity?.["storage"])) return;
    const { name, namespace } = metadata;
    const tell = (progress: string, condition: string) =>
      this.#client.resource<Claim>(persistentVolumeClaims).patch(
        namespace,
        name!,
        "merge",
        {
          status: {
            allocatedResources: { storage },
            allocatedResourceStatuses: { storage: progress },
            conditions: [{ type: condition, status: "True" }],
          },
        },
        { subresource: "status" },
      );
    await tell("ControllerResizeInProgress", "Resizing");
    const request = { volumeId: csi.volumeHandle, capacityRange: { requiredBytes: wholeOf(storage) } };
    await this.#controller.call("csi.v1.Controller", "ControllerExpandVolume", request, { timeoutMs });
    await this.#client
      .resource<Volume>(persistentVolumes)
      .patch(undefined, volume.metadata.name!, "merge", { spec: { capacity: { storage } } });
    await tell("NodeResizePending", "FileSystemResizePending");
  }

  async #delete({ metadata, spec, status }: Volume): Promise<void> {
    const isOver = status?.phase === "Released" && spec?.persistentVolumeReclaimPolicy === "Delete";
    if (!isOver || spec?.csi?.driver !== this.#driver.settings.name || metadata.deletionTimestamp) return;
    await this.#controller.call(
      "csi.v1.Controller",
      "DeleteVolume",
      { volumeId: spec.csi.volumeHandle },
      { timeoutMs },
    );
    await this.#client.resource<Volume>(persistentVolumes).delete(undefined, metadata.name!);
  }

  async #attach({ metadata, spec, status }: Attachment, volume: Volume | undefined): Promise<void> {
    if (spec.attacher !== this.#driver.settings.name) return;
    if (!volume) throw new Error("the volume is not seen yet: to be tried again");
    const attachments = this.#client.resource<Attachment>(volumeAttachments);
    const volumeId = volume.spec!.csi!.volumeHandle;
    const { nodeId } = this.#driver.settings;
    const { finalizers = [], name } = metadata;
    if (metadata.deletionTimestamp) {
      if (!finalizers.includes(finalizer)) return;
      const request = { volumeId, nodeId };
      await this.#controller.call("csi.v1.Controller", "ControllerUnpublishVolume", request, { timeoutMs });
      await attachments.patch(undefined, name!, "merge", { metadata: { finalizers: null } });
      return;
    }
    if (status?.attached) return;
    if (!finalizers.includes(finalizer))
      await attachments.patch(undefined, name!, "merge", { metadata: { finalizers: [finalizer] } });
    const told = await this.#controller
      .call("csi.v1.Controller", "ControllerPublishVolume", { volumeId, nodeId }, { timeoutMs })
      .then(
        ({ publishContext }) => ({ attached: true, attachmentMetadata: publishContext, attachError: null }),
        ({ message }: Error) => ({
          attached: false,
          attachError: { message, time: new Date().toISOString() },
        }),
      );
    await attachments.patch(undefined, name!, "merge", { status: told }, { subresource: "status" });
    if (!told.attached) throw new Error("to be tried again");
  }
}
