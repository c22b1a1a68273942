import { computeQosClass, type corev1, isStaticPod, podLimits, podRequests } from "../../api/index.ts";
import { formatTime } from "../../machinery/index.ts";
import { podResources } from "../container/resources.ts";
import type { PodObservation } from "../plan/observation.ts";
import { isTerminating } from "../plan/plan-pod.ts";
import { isPodCgroupBehind } from "../plan/resize.ts";
import { sandboxNeed } from "../plan/sandbox.ts";
import { type Condition, containersReady, initialized, kubeletConditions, ready } from "./conditions.ts";
import { containerStatuses } from "./container-statuses.ts";
import { withMessagesCut } from "./message-limits.ts";
import { type PodPhase, podPhase } from "./phase.ts";
import { allContainersRestarting, isResetting, type SeenPod } from "./reset-status.ts";
import { terminated } from "./terminated.ts";

/** What of the node stands in a pod's status. */
export interface NodeAddresses {
  hostIps: readonly string[];
}

/** A verdict on the whole pod that its containers do not show. */
export interface PodVerdict {
  phase: "Failed";
  reason: string;
  message: string;
  /**
   * It is Succeeded all the same where all of its containers end well, and says no reason then. As upstream, of what the
   * node ends: evicted, preempted or shut down.
   */
  unlessItEndsWell?: true;
  /** Its containers get no more time to end than this, whatever the pod asks for. */
  graceS?: number;
  /** What disrupts it, for its DisruptionTarget condition. */
  disruption?: { reason: string; message: string };
}

/**
 * The status of a pod as it is now. Pure; `previous` is the status last computed (or the API's), from which times of
 * transition, earlier ends and conditions of others are kept. As kubelet's generateAPIPodStatus.
 */
export function podStatus(
  pod: corev1.Pod,
  observed: PodObservation,
  previous: corev1.PodStatus,
  node: NodeAddresses,
  nowMs: number,
  verdict?: PodVerdict,
): corev1.PodStatus {
  const seen: SeenPod = {
    ...observed,
    ...(verdict && { phase: verdict.phase }),
    ...(isResetting(pod, observed, previous) && { reset: "underway" as const }),
  };
  const made = statusesOf(pod, seen, previous, nowMs);
  const [inits, mains, ephemeral] = withMessagesCut([
    made.inits,
    made.mains,
    ephemeralStatuses(pod, seen, previous.ephemeralContainerStatuses ?? [], nowMs),
  ]) as [corev1.ContainerStatus[], corev1.ContainerStatus[], corev1.ContainerStatus[]];
  const phase = settledPhase(pod, seen, previous, [...mains, ...inits], verdict);
  // As kubelet: a final phase is told only once nothing of the pod runs any more.
  const isEarly = isFinal(phase) && !isFinal(previous.phase) && !isStopped(observed);
  const shown = isEarly ? (previous.phase ?? "Pending") : phase;
  const samePhase = shown === previous.phase;
  const ips = podIps(pod, seen, previous, node);
  const generation = pod.metadata.generation;

  return {
    ...(generation !== undefined && { observedGeneration: generation }),
    phase: shown,
    ...(verdict && shown === verdict.phase && !isEarly
      ? { reason: verdict.reason, message: verdict.message }
      : samePhase
        ? {
            ...(previous.reason && { reason: previous.reason }),
            ...(previous.message && { message: previous.message }),
          }
        : {}),
    conditions: [
      ...conditions(
        pod,
        seen,
        { ...previous, conditions: disrupted(pod, previous, isEarly ? undefined : verdict, nowMs) },
        phase,
        [...inits, ...mains],
        nowMs,
      ),
      ...(isFinal(phase) ? [] : (observed.resizeConditions ?? [])),
    ],
    ...(previous.nominatedNodeName && { nominatedNodeName: previous.nominatedNodeName }),
    ...(node.hostIps[0] && { hostIP: node.hostIps[0], hostIPs: node.hostIps.map((ip) => ({ ip })) }),
    ...(ips[0] && { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    startTime: previous.startTime ?? formatTime(observed.startTimeMs ?? nowMs),
    ...(inits.length > 0 && { initContainerStatuses: inits }),
    containerStatuses: mains,
    ...(ephemeral.length > 0 && { ephemeralContainerStatuses: ephemeral }),
    qosClass: previous.qosClass ?? computeQosClass(pod.spec!),
    ...podLevelResources(pod, observed, previous),
  };
}

/** Of the init containers, in their order, and of the main ones, by name. */
function statusesOf(pod: corev1.Pod, observed: SeenPod, previous: corev1.PodStatus, nowMs: number) {
  const { initContainers = [], containers } = pod.spec!;
  const { initContainerStatuses = [], containerStatuses: before = [] } = previous;
  const inits = containerStatuses(pod, initContainers, observed, initContainerStatuses, nowMs);
  const mains = containerStatuses(pod, containers, observed, before, nowMs);
  mains.sort((a, b) => (a.name < b.name ? -1 : 1));
  return isOver(pod, observed) ? terminated(pod.spec!, inits, mains) : { inits, mains };
}

/** Nothing of the pod will run any more. A static pod's end is its file's affair. */
const isOver = (pod: corev1.Pod, observed: PodObservation) =>
  isTerminating(pod, observed) && isStopped(observed) && !isStaticPod(pod);

/** What the pod was given as a whole, and what of it its cgroup says; until that says it, what it said before. */
function podLevelResources(
  pod: corev1.Pod,
  observed: PodObservation,
  previous: corev1.PodStatus,
): Pick<corev1.PodStatus, "allocatedResources" | "resources"> {
  const spec = pod.spec!;
  const allocated = podRequests(spec);
  const requests = pickCompute(allocated);
  const all = podLimits(spec);
  const { cpuQuotaUs, memoryLimitBytes } = podResources(pod);
  const limits = pickCompute({
    ...(cpuQuotaUs !== undefined && { cpu: all.cpu }),
    ...(memoryLimitBytes !== undefined && { memory: all.memory }),
  });
  const resources =
    isPodCgroupBehind(pod, observed) && previous.resources
      ? previous.resources
      : { ...(limits && { limits }), ...(requests && { requests }) };
  return { ...(Object.keys(allocated).length > 0 && { allocatedResources: allocated }), resources };
}

function pickCompute({ cpu, memory }: { cpu?: string; memory?: string }): Record<string, string> | undefined {
  const picked = { ...(cpu !== undefined && { cpu }), ...(memory !== undefined && { memory }) };
  return Object.keys(picked).length > 0 ? picked : undefined;
}

/** By name; as kubelet's, they have no probes, and so are never called started or ready. */
function ephemeralStatuses(
  pod: corev1.Pod,
  observed: PodObservation,
  before: readonly corev1.ContainerStatus[],
  nowMs: number,
): corev1.ContainerStatus[] {
  const specs = (pod.spec!.ephemeralContainers ?? []) as corev1.Container[];
  return containerStatuses(pod, specs, observed, before, nowMs)
    .map(({ started: _, ...status }) => ({ ...status, ready: false }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

const isFinal = (phase: string | undefined) => phase === "Succeeded" || phase === "Failed";

/** A final phase is never left again. */
function settledPhase(
  pod: corev1.Pod,
  observed: SeenPod,
  previous: corev1.PodStatus,
  statuses: readonly corev1.ContainerStatus[],
  verdict: PodVerdict | undefined,
): PodPhase {
  const ended = isOver(pod, observed);
  const said = verdict?.unlessItEndsWell && ended ? undefined : verdict?.phase;
  for (const phase of [said, pod.status?.phase, previous.phase]) {
    if (phase && isFinal(phase)) return phase;
  }
  const mains = new Set(pod.spec!.containers.map(({ name }) => name));
  const current = observed.sandboxes[0]?.id;
  const ran = observed.containers.some(
    ({ name, sandboxId, state }) => mains.has(name) && sandboxId === current && state !== "created",
  );
  const toRestart = new Set(
    observed.containers.filter(({ id }) => observed.killedForRestart.has(id)).map(({ name }) => name),
  );
  const phase = podPhase(pod.spec!, statuses, { ended, initialized: ran, reset: observed.reset, toRestart });
  // As kubelet: what ends without having run has failed.
  return ended && !isFinal(phase) ? "Failed" : phase;
}

/** Nothing of the pod runs, and nothing is being started. */
export function isStopped(observed: PodObservation): boolean {
  return (
    observed.containers.every(({ state }) => state === "exited" || state === "created") &&
    ![...observed.underway].some((key) => key.startsWith("container/"))
  );
}

function podIps(
  pod: corev1.Pod,
  observed: PodObservation,
  previous: corev1.PodStatus,
  node: NodeAddresses,
): readonly string[] {
  if (pod.spec!.hostNetwork) {
    return previous.podIPs?.length ? previous.podIPs.map(({ ip }) => ip!) : node.hostIps;
  }
  const sandbox = observed.sandboxes[0];
  if (sandbox?.state === "ready") return sandbox.ips;
  // As kubelet: a pod that has ended keeps the addresses it was last seen with.
  return isTerminating(pod, observed) ? (previous.podIPs ?? []).map(({ ip }) => ip!) : [];
}

function conditions(
  pod: corev1.Pod,
  observed: SeenPod,
  previous: corev1.PodStatus,
  phase: PodPhase,
  statuses: readonly corev1.ContainerStatus[],
  nowMs: number,
): corev1.PodCondition[] {
  const spec = pod.spec!;
  const others = (pod.status?.conditions ?? []).filter(({ type }) => !kubeletConditions.includes(type));
  const disruption = previous.conditions?.find(({ type }) => type === "DisruptionTarget");
  if (disruption && !others.some(({ type }) => type === "DisruptionTarget")) others.push(disruption);

  const containers = containersReady(spec, statuses, phase);
  const own: Condition[] = [
    { type: "PodReadyToStartContainers", status: isReadyToStart(pod, observed) ? "True" : "False" },
    initialized(spec, statuses, phase, previous),
    ready(spec, containers, others),
    containers,
    { type: "PodScheduled", status: "True" },
  ];
  const restarting = allContainersRestarting(pod, observed, phase);
  if (restarting) own.push(restarting);
  return [...others, ...own.map((condition) => withTransition(pod, condition, previous, nowMs))];
}

/** The conditions so far, and that the pod was disrupted; told, as its phase, once nothing of it runs. */
function disrupted(
  pod: corev1.Pod,
  { conditions: before = [] }: corev1.PodStatus,
  verdict: PodVerdict | undefined,
  nowMs: number,
): corev1.PodCondition[] {
  if (!verdict?.disruption) return before;
  const type = "DisruptionTarget";
  const condition = withTransition(
    pod,
    { type, status: "True", ...verdict.disruption },
    { conditions: before },
    nowMs,
  );
  return [...before.filter((other) => other.type !== type), condition];
}

function isReadyToStart(pod: corev1.Pod, observed: PodObservation): boolean {
  const need = sandboxNeed(pod, observed);
  if (!("has" in need)) return false;
  return (
    observed.volumes === "mounted" || observed.containers.some(({ sandboxId }) => sandboxId === need.has.id)
  );
}

function withTransition(
  pod: corev1.Pod,
  condition: Condition,
  previous: corev1.PodStatus,
  nowMs: number,
): corev1.PodCondition {
  const before = previous.conditions?.find(({ type }) => type === condition.type);
  const lastTransitionTime =
    before?.status === condition.status && before.lastTransitionTime
      ? before.lastTransitionTime
      : formatTime(nowMs);
  return {
    ...condition,
    lastTransitionTime,
    ...(pod.metadata.generation !== undefined && { observedGeneration: pod.metadata.generation }),
  };
}
