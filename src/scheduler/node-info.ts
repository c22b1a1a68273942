import {
  type corev1,
  type HostPort,
  hostPortsOf,
  podRequestAmounts,
  podRequestAmountsInUse,
  type ResourceAmounts,
} from "../api/index.ts";
import { parseQuantity, type Quantity } from "../machinery/index.ts";
import {
  type AffinityTerm,
  type AffinityTerms,
  affinityTermsOf,
  type Neighbour,
  saysSomething,
} from "./affinity-terms.ts";

/** Amounts by resource name: `cpu` in millicores, everything else in its own unit (bytes, devices). */
export type Amounts = Map<string, number>;

/** What a node has, and what the pods on it take. Counterpart upstream: `framework.NodeInfo`. */
export interface NodeInfo {
  node: corev1.Node;
  allocatable: Amounts;
  requested: Amounts;
  /** As `requested`, with a guess for containers that request nothing: for scores only. */
  assumed: CpuAndMemory;
  pods: Map<string, ScheduledPod>;
  /** Those of `pods` that say something about others. */
  withAffinity: Map<string, ScheduledPod>;
  /** How many of `pods` are of a kind somebody has asked for, by a text that stands for the kind; until they change. */
  counts: Map<string, number>;
  /** Bytes by name of the images it has. */
  images: ReadonlyMap<string, number>;
}

/** The part of a pod on a node that matters to others. */
export interface ScheduledPod extends Neighbour {
  key: string;
  pod: corev1.Pod;
  priority: number;
  requests: Amounts;
  assumed: CpuAndMemory;
  hostPorts: readonly HostPort[];
  terms: AffinityTerms;
}

export interface CpuAndMemory {
  cpu: number;
  memory: number;
}

export function amountsOf(list: Readonly<Record<string, string>> | undefined): Amounts {
  const amounts: Amounts = new Map();
  for (const [name, text] of Object.entries(list ?? {})) {
    amounts.set(name, amountOf(name, parseQuantity(text)));
  }
  return amounts;
}

const amountOf = (name: string, quantity: Quantity): number =>
  name === "cpu" ? quantity.milliValue() : quantity.value();

/** What a pod asks for, worked out once for each pod. */
export function requestsOf(pod: corev1.Pod): Amounts {
  return toAmounts(podRequestAmountsInUse(pod));
}

const toAmounts = (requests: ResourceAmounts): Amounts =>
  new Map(Object.entries(requests).map(([name, quantity]) => [name, amountOf(name, quantity)]));

/** As upstream's `DefaultMilliCPURequest` and `DefaultMemoryRequest`. */
const assumedRequests = { cpu: "100m", memory: String(200 * 1024 * 1024) };

/** What a pod takes where containers that request no cpu or memory count with a guess: they use some, too. */
export function assumedOf({ spec }: corev1.Pod, requests: Amounts): CpuAndMemory {
  const lacks = ({ resources }: corev1.Container) =>
    resources?.requests?.cpu === undefined || resources.requests.memory === undefined;
  const guessed = (container: corev1.Container): corev1.Container =>
    lacks(container)
      ? {
          ...container,
          resources: {
            ...container.resources,
            requests: { ...assumedRequests, ...container.resources?.requests },
          },
        }
      : container;
  const { containers, initContainers = [] } = spec!;
  const all = [...containers, ...initContainers];
  const amounts = all.some(lacks)
    ? toAmounts(
        podRequestAmounts({
          ...spec!,
          containers: containers.map(guessed),
          initContainers: initContainers.map(guessed),
        }),
      )
    : requests;
  return { cpu: amounts.get("cpu") ?? 0, memory: amounts.get("memory") ?? 0 };
}

export function scheduledPodOf(pod: corev1.Pod): ScheduledPod {
  const requests = requestsOf(pod);
  return {
    key: `${pod.metadata.namespace}/${pod.metadata.name}`,
    pod,
    namespace: pod.metadata.namespace!,
    priority: pod.spec!.priority ?? 0,
    requests,
    assumed: assumedOf(pod, requests),
    hostPorts: hostPortsOf(pod),
    labels: pod.metadata.labels ?? {},
    terms: affinityTermsOf(pod),
  };
}

export function newNodeInfo(node: corev1.Node): NodeInfo {
  return {
    node,
    allocatable: amountsOf(node.status?.allocatable),
    requested: new Map(),
    assumed: { cpu: 0, memory: 0 },
    pods: new Map(),
    withAffinity: new Map(),
    counts: new Map(),
    images: imagesOf(node),
  };
}

export function imagesOf({ status }: corev1.Node): ReadonlyMap<string, number> {
  const images = new Map<string, number>();
  for (const { names = [], sizeBytes = 0 } of status?.images ?? [])
    for (const name of names) images.set(name, sizeBytes);
  return images;
}

/** For a thought: what is added to and removed from the copy leaves the original alone. */
export const copyOf = (info: NodeInfo): NodeInfo => ({
  ...info,
  requested: new Map(info.requested),
  assumed: { ...info.assumed },
  pods: new Map(info.pods),
  withAffinity: new Map(info.withAffinity),
  counts: new Map(),
});

/** Kinds of pods that are remembered; with more, they are counted anew. */
const countsMax = 64;

/** How many pods are of a kind. Most nodes are the same from one decision to the next, so that this is remembered. */
export function countPods(info: NodeInfo, kind: string, isOfKind: (pod: ScheduledPod) => boolean): number {
  const known = info.counts.get(kind);
  if (known !== undefined) return known;
  let count = 0;
  for (const pod of info.pods.values()) if (isOfKind(pod)) count++;
  if (info.counts.size >= countsMax) info.counts.clear();
  info.counts.set(kind, count);
  return count;
}

/** How many pods a term is about. */
export function countAbout(
  info: NodeInfo,
  { kind }: AffinityTerm,
  isAbout: (pod: ScheduledPod) => boolean,
): number {
  if (kind !== undefined) return countPods(info, kind, isAbout);
  let count = 0;
  for (const pod of info.pods.values()) if (isAbout(pod)) count++;
  return count;
}

export function addPod(info: NodeInfo, pod: ScheduledPod): void {
  removePod(info, pod.key);
  info.counts.clear();
  info.pods.set(pod.key, pod);
  if (saysSomething(pod.terms)) info.withAffinity.set(pod.key, pod);
  for (const [name, amount] of pod.requests)
    info.requested.set(name, (info.requested.get(name) ?? 0) + amount);
  info.assumed.cpu += pod.assumed.cpu;
  info.assumed.memory += pod.assumed.memory;
}

export function removePod(info: NodeInfo, key: string): void {
  const pod = info.pods.get(key);
  if (!pod) return;
  info.counts.clear();
  info.pods.delete(key);
  info.withAffinity.delete(key);
  for (const [name, amount] of pod.requests)
    info.requested.set(name, (info.requested.get(name) ?? 0) - amount);
  info.assumed.cpu -= pod.assumed.cpu;
  info.assumed.memory -= pod.assumed.memory;
}
