import { disruptionAllowedBy, type policyv1, withDisruptionAllowed } from "../../../api/index.ts";
import { forbidden, formatTime, type StatusError, tooManyRequests } from "../../../machinery/index.ts";

type Budget = policyv1.PodDisruptionBudget;

const groupResource = { group: "policy", resource: "poddisruptionbudget" };
const refused = "Cannot evict pod as it would violate the pod's disruption budget.";
/** Evictions that the disruption controller has not seen come to their end. As upstream's `MaxDisruptedPodSize`. */
const disruptedPodsMax = 2_000;

/** For a budget whose controller has not caught up with it. */
export function stillProcessed(name: string): StatusError {
  const message = `The disruption budget ${name} is still being processed by the server.`;
  return tooManyRequests(refused, 10, [{ reason: "DisruptionBudget", message }]);
}

/** The status of a budget after the eviction of a pod; throws a 429 if it allows none. Pure. As `checkAndDecrement`. */
export function spend(budget: Budget, podName: string, nowMs: number): policyv1.PodDisruptionBudgetStatus {
  const { metadata, status = {} } = budget;
  const name = metadata.name!;
  const allowed = status.disruptionsAllowed ?? 0;
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0)) throw stillProcessed(name);
  if (allowed < 0) throw forbidden(groupResource, name, "pdb disruptions allowed is negative");
  if (Object.keys(status.disruptedPods ?? {}).length > disruptedPodsMax)
    throw forbidden(
      groupResource,
      name,
      "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
    );
  if (allowed === 0)
    throw tooManyRequests(refused, 0, [{ reason: "DisruptionBudget", message: whyNot(budget) }]);
  const left = allowed - 1;
  return {
    ...status,
    disruptionsAllowed: left,
    // The controller must not count the pod as healthy any longer.
    disruptedPods: { ...status.disruptedPods, [podName]: formatTime(nowMs) },
    ...(left === 0 && { conditions: withDisruptionAllowed(status, disruptionAllowedBy(left), nowMs) }),
  };
}

function whyNot({ metadata: { name }, status = {} }: Budget): string {
  const { currentHealthy = 0, desiredHealthy = 0, conditions = [] } = status;
  const no = conditions.find(
    (condition) =>
      condition.type === "DisruptionAllowed" && condition.status === "False" && condition.message,
  );
  if (no?.reason === "SyncFailed")
    return `The disruption budget ${name} does not allow evicting pods currently because it failed sync: ${no.message}`;
  if (currentHealthy <= desiredHealthy)
    return `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
  const why = `The disruption budget ${name} does not allow evicting pods currently`;
  return no ? `${why} (${no.reason}): ${no.message}` : why;
}
