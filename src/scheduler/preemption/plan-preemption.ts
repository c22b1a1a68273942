import { findCondition } from "../../api/index.ts";
import type { Refusal } from "../filter/index.ts";
import type { NodeInfo, ScheduledPod } from "../node-info.ts";
import { type Cycle, fitError } from "../schedule.ts";
import { pickCandidate } from "./pick-candidate.ts";
import { type Candidate, selectVictims } from "./select-victims.ts";

/** As upstream's `MinCandidateNodesAbsolute` and `-Percentage`: enough to choose from, few enough to think through. */
const candidatesMin = 100;
const candidatesShareMin = 0.1;

/** Who goes for a pod that fits nowhere, or why nobody does. */
export type Preemption =
  | { do: "preempt"; node: string; victims: readonly ScheduledPod[] }
  /** `message`: as it stands after `preemption: ` in the pod's condition. `forget`: no node is nominated any longer. */
  | { do: "nothing"; message: string; nomination: "keep" | "forget" };

/** Pure. Counterpart upstream: `pkg/scheduler/framework/preemption.Evaluator.Preempt`. */
export function planPreemption(cycle: Cycle, refusals: ReadonlyMap<NodeInfo, Refusal>): Preemption {
  const why = ineligible(cycle, refusals);
  if (why) return { do: "nothing", message: why, nomination: "keep" };
  const told: Pick<Refusal, "reasons">[] = [];
  const candidates: Candidate[] = [];
  const { nodes } = cycle.view;
  const wanted = Math.max(candidatesMin, Math.ceil(nodes.length * candidatesShareMin));
  for (const [node, refusal] of refusals) {
    if (refusal.helpedBy === "nothing") {
      told.push({ reasons: ["Preemption is not helpful for scheduling"] });
      continue;
    }
    const selected = selectVictims(cycle, node);
    if ("victims" in selected) candidates.push(selected);
    else told.push(selected);
    // One that breaks no budget must be among them.
    if (candidates.length >= wanted && candidates.some(({ violations }) => violations === 0)) break;
  }
  if (candidates.length === 0)
    return { do: "nothing", message: fitError(nodes.length, told), nomination: "forget" };
  const { node, victims } = pickCandidate(candidates);
  return { do: "preempt", node, victims };
}

/** As `PodEligibleToPreemptOthers`. */
function ineligible({ pending, view }: Cycle, refusals: ReadonlyMap<NodeInfo, Refusal>): string | undefined {
  const { spec, status } = pending.pod;
  if (spec!.preemptionPolicy === "Never") return "not eligible due to preemptionPolicy=Never.";
  if (!status?.nominatedNodeName) return undefined;
  const nominated = view.nodes.find(({ node }) => node.metadata.name === status.nominatedNodeName);
  if (!nominated || refusals.get(nominated)?.helpedBy === "nothing") return undefined;
  const isLeaving = [...nominated.pods.values()].some(
    (pod) => pod.priority < pending.priority && isPreempted(pod),
  );
  return isLeaving ? "not eligible due to a terminating pod on the nominated node." : undefined;
}

function isPreempted({ pod }: ScheduledPod): boolean {
  if (!pod.metadata.deletionTimestamp) return false;
  const disrupted = findCondition(pod.status?.conditions, "DisruptionTarget");
  return disrupted?.status === "True" && disrupted.reason === "PreemptionByScheduler";
}
