import { ageOf } from "../../../age.ts";
import { ageColumn, column, nameColumn, none, timed, wideColumn } from "../../../columns.ts";
import type { corev1 } from "../../../index.ts";
import type { Column } from "../../../kind.ts";
import { podSummary } from "./summary.ts";

/** Of `kubectl get pods`. */
export const podColumns: readonly Column<corev1.Pod>[] = [
  nameColumn as Column<corev1.Pod>,
  column("Ready", "string", "Containers that are ready, of all that run for as long as the pod.", (pod) => {
    const { ready, total } = podSummary(pod);
    return `${ready}/${total}`;
  }),
  column(
    "Status",
    "string",
    "What the pod's containers come to, in a word.",
    (pod) => podSummary(pod).status,
  ),
  timed(
    column("Restarts", "string", "How often containers were restarted, and when last.", (pod, nowMs) => {
      const { restarts, lastRestart } = podSummary(pod);
      return restarts === 0 || !lastRestart
        ? `${restarts}`
        : `${restarts} (${ageOf(lastRestart, nowMs)} ago)`;
    }),
  ),
  ageColumn as Column<corev1.Pod>,
  wideColumn("IP", "string", "The pod's address.", ({ status }) => status?.podIPs?.[0]?.ip || none),
  wideColumn("Node", "string", "The node the pod is bound to.", ({ spec }) => spec?.nodeName || none),
  wideColumn(
    "Nominated Node",
    "string",
    "The node that preemption has made room on.",
    ({ status }) => status?.nominatedNodeName || none,
  ),
  wideColumn(
    "Readiness Gates",
    "string",
    "Conditions of others that hold, of all the pod waits for.",
    readinessGates,
  ),
];

function readinessGates({ spec, status }: corev1.Pod): string {
  const gates = spec?.readinessGates;
  if (!gates?.length) return none;
  const isTrue = (type: string) =>
    status?.conditions?.find((condition) => condition.type === type)?.status === "True";
  return `${gates.filter(({ conditionType }) => isTrue(conditionType)).length}/${gates.length}`;
}
