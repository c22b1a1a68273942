import type { coordinationv1, corev1 } from "../../api/index.ts";
import { formatTime } from "../../machinery/index.ts";

/** As upstream's `--node-monitor-grace-period`: how long a node may be silent. */
const silenceMsMax = 50_000;
/** As `--node-startup-grace-period`, for one that has said nothing yet. */
const startupMsMax = 60_000;

/** When a node last gave a sign of life, by this controller's clock: nodes' clocks may differ. */
export interface Sign {
  heartbeat: string | undefined;
  renewal: string | undefined;
  atMs: number;
}

const readyOf = ({ status }: corev1.Node) => status?.conditions?.find(({ type }) => type === "Ready");

export const readyStatus = (node: corev1.Node): string | undefined => readyOf(node)?.status;

/** A sign is a status that was written anew, or a lease that was renewed. Pure. */
export function signOf(
  before: Sign | undefined,
  node: corev1.Node,
  lease: coordinationv1.Lease | undefined,
  nowMs: number,
): Sign {
  const heartbeat = readyOf(node)?.lastHeartbeatTime ?? undefined;
  const renewal = lease?.spec?.renewTime;
  if (before && before.heartbeat === heartbeat && (renewal === undefined || before.renewal === renewal))
    return before;
  return { heartbeat, renewal, atMs: nowMs };
}

/** How much longer a node may be silent; 0 or less when it counts as lost. */
export const patienceMs = (sign: Sign, node: corev1.Node, nowMs: number): number =>
  sign.atMs + (readyOf(node) ? silenceMsMax : startupMsMax) - nowMs;

const reported = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/** The conditions of a node that is silent: nothing is known. Undefined when they say so already. */
export function unknownConditions(node: corev1.Node, nowMs: number): corev1.NodeCondition[] | undefined {
  if (readyStatus(node) === "Unknown") return undefined;
  const now = formatTime(nowMs);
  const conditions = node.status?.conditions ?? [];
  const known = conditions.map((condition) =>
    reported.includes(condition.type) && condition.status !== "Unknown"
      ? {
          ...condition,
          status: "Unknown",
          reason: "NodeStatusUnknown",
          message: "Kubelet stopped posting node status.",
          lastTransitionTime: now,
        }
      : condition,
  );
  const never = reported
    .filter((type) => !conditions.some((condition) => condition.type === type))
    .map((type) => ({
      type,
      status: "Unknown",
      reason: "NodeStatusNeverUpdated",
      message: "Kubelet never posted node status.",
      lastHeartbeatTime: node.metadata.creationTimestamp ?? now,
      lastTransitionTime: now,
    }));
  return [...known, ...never];
}
