import type { corev1, storagev1 } from "../../api/index.ts";
import type { Clock } from "../../base/index.ts";
import { csiNodes, nodes, type Transport } from "../../client/index.ts";
import { isStatus } from "../../machinery/index.ts";
import { Backoff } from "../worker/backoff.ts";
import { messageOf } from "../worker/start-error.ts";
import type { CsiDriver } from "./csi-driver.ts";

const nodeIdAnnotation = "csi.volume.kubernetes.io/nodeid";
/** As upstream's `updateBackoff`: other writers of the node come first a few times, not for ever. */
const triesMax = 4;
const retryBackoff = { initialMs: 10, capMs: 1_000 };
const int32Max = 2 ** 31 - 1;

/** What a driver says of this node. */
export interface DriverOnNode {
  name: string;
  nodeId: string;
  /** How many volumes the node can have; 0 does not say. */
  volumesMax: number;
  topology: Readonly<Record<string, string>>;
}

/**
 * What the API is told of this node's CSI drivers: the CSINode object, and on the Node the drivers' topology as labels
 * and their ids in an annotation. Counterpart upstream: `pkg/volume/csi/nodeinfomanager`.
 */
export class CsiNodeInfo {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #nodeName: string;
  /** One write at a time: drivers register at once. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: { transport: Transport; clock: Clock; nodeName: string }) {
    this.#transport = options.transport;
    this.#clock = options.clock;
    this.#nodeName = options.nodeName;
  }

  /** The object of a node without drivers, from the beginning: who schedules looks for it. */
  initialize(): Promise<void> {
    return this.#inTurn("error updating CSINode", async () => void (await this.#ownCsiNode()));
  }

  /** Asks the driver about this node, and tells the API. */
  async tell(driver: Pick<CsiDriver, "name" | "getInfo">, signal?: AbortSignal): Promise<void> {
    const { nodeId, maxVolumesPerNode, accessibleTopology } = await driver.getInfo(signal);
    const topology = accessibleTopology?.segments ?? {};
    await this.install({ name: driver.name, nodeId, volumesMax: maxVolumesPerNode, topology });
  }

  install(driver: DriverOnNode): Promise<void> {
    if (driver.nodeId === "")
      return Promise.reject(new Error("error adding CSI driver node info: driverNodeID must not be empty"));
    return this.#inTurn("error updating CSINode object with CSI driver node info", async () => {
      await this.#patchNode((node) => withDriver(node, driver));
      await this.#updateDrivers((drivers) => replaced(drivers, driver));
    });
  }

  uninstall(name: string): Promise<void> {
    return this.#inTurn("error uninstalling CSI driver from CSINode object", async () => {
      await this.#updateDrivers((drivers) => drivers.filter((driver) => driver.name !== name));
      await this.#patchNode((node) => withoutDriver(node, name));
    });
  }

  #inTurn(what: string, work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(async () => {
      const backoff = new Backoff(retryBackoff);
      for (let tries = 1; ; tries++) {
        try {
          return await work();
        } catch (error) {
          if (tries === triesMax || error instanceof TopologyCollision)
            throw new Error(`${what}: ${messageOf(error)}`, { cause: error });
          await this.#clock.sleep(backoff.next());
        }
      }
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #patchNode(change: (node: corev1.Node) => object | undefined): Promise<void> {
    const { object } = await this.#transport.request({ verb: "get", resource: nodes, name: this.#nodeName });
    const metadata = change(object);
    if (!metadata) return;
    await this.#transport.request({
      verb: "patch",
      resource: nodes,
      name: this.#nodeName,
      patch: { type: "merge", body: { metadata } },
    });
  }

  async #updateDrivers(
    change: (drivers: storagev1.CSINodeDriver[]) => storagev1.CSINodeDriver[],
  ): Promise<void> {
    const csiNode = await this.#ownCsiNode();
    const before = csiNode.spec.drivers ?? [];
    const drivers = change(before);
    if (JSON.stringify(drivers) === JSON.stringify(before)) return;
    await this.#transport.request({
      verb: "update",
      resource: csiNodes,
      name: this.#nodeName,
      body: { ...csiNode, spec: { ...csiNode.spec, drivers } },
    });
  }

  /** This node's, and not that of one of the same name before it. */
  async #ownCsiNode(): Promise<storagev1.CSINode & { apiVersion: string; kind: string }> {
    const name = this.#nodeName;
    const { object: node } = await this.#transport.request({ verb: "get", resource: nodes, name });
    const owner = { apiVersion: "v1", kind: "Node", name, uid: (node as corev1.Node).metadata.uid! };
    try {
      const { object } = await this.#transport.request({ verb: "get", resource: csiNodes, name });
      const owners = (object as storagev1.CSINode).metadata.ownerReferences ?? [];
      if (owners.some(({ kind, uid }) => kind === "Node" && uid === owner.uid)) return object;
      await this.#transport.request({ verb: "delete", resource: csiNodes, name });
    } catch (error) {
      if (!isStatus(error, "NotFound")) throw error;
    }
    const body = {
      apiVersion: "storage.k8s.io/v1",
      kind: "CSINode",
      metadata: { name, ownerReferences: [owner] },
      spec: { drivers: [] },
    };
    const { object } = await this.#transport.request({ verb: "create", resource: csiNodes, body });
    return object;
  }
}

/** Only somebody can heal it: trying again does not. */
class TopologyCollision extends Error {}

function idsOf({ metadata }: corev1.Node): Record<string, string> {
  const text = metadata.annotations?.[nodeIdAnnotation];
  if (!text) return {};
  try {
    return JSON.parse(text) as Record<string, string>;
  } catch (error) {
    throw new Error(
      `failed to parse node's "${nodeIdAnnotation}" annotation value (${JSON.stringify(text)}) err=${messageOf(error)}`,
    );
  }
}

function withDriver(node: corev1.Node, { name, nodeId, topology }: DriverOnNode): object | undefined {
  const labels = node.metadata.labels ?? {};
  for (const [key, value] of Object.entries(topology)) {
    if (labels[key] === undefined || labels[key] === value) continue;
    throw new TopologyCollision(
      `detected topology value collision: driver reported "${key}":"${value}" but existing label is "${key}":"${labels[key]}"`,
    );
  }
  const ids = idsOf(node);
  const isLabelled = Object.keys(topology).every((key) => labels[key] !== undefined);
  if (ids[name] === nodeId && isLabelled) return undefined;
  return {
    labels: topology,
    annotations: { [nodeIdAnnotation]: JSON.stringify({ ...ids, [name]: nodeId }) },
  };
}

function withoutDriver(node: corev1.Node, name: string): object | undefined {
  const { [name]: gone, ...ids } = idsOf(node);
  if (gone === undefined) return undefined;
  const left = Object.keys(ids).length > 0 ? JSON.stringify(ids) : null;
  return { annotations: { [nodeIdAnnotation]: left } };
}

/** The driver as it is now, after the others. */
function replaced(
  drivers: readonly storagev1.CSINodeDriver[],
  { name, nodeId, volumesMax, topology }: DriverOnNode,
): storagev1.CSINodeDriver[] {
  const entry: storagev1.CSINodeDriver = {
    name,
    nodeID: nodeId,
    topologyKeys: Object.keys(topology).sort(),
    ...(volumesMax > 0 && { allocatable: { count: Math.min(volumesMax, int32Max) } }),
  };
  const before = drivers.find((driver) => driver.name === name);
  const isSame =
    before?.nodeID === entry.nodeID &&
    before.allocatable?.count === entry.allocatable?.count &&
    JSON.stringify(before.topologyKeys ?? []) === JSON.stringify(entry.topologyKeys);
  if (isSame) return [...drivers];
  return [...drivers.filter((driver) => driver.name !== name), entry];
}
