import { one } from "./amounts.ts";
import { claimEvaluator } from "./claims.ts";
import { type Evaluator, objectCount } from "./evaluator.ts";
import { podEvaluator } from "./pods.ts";
import { serviceEvaluator } from "./services.ts";

interface Resource {
  group: string;
  resource: string;
}

/** Of the core group; what is not here is counted by number only. */
const special: Readonly<Record<string, Evaluator>> = {
  pods: podEvaluator,
  persistentvolumeclaims: claimEvaluator,
  services: serviceEvaluator,
};
/** What could be counted before `count/…` could be written. */
const oldNames: ReadonlySet<string> = new Set([
  "configmaps",
  "resourcequotas",
  "replicationcontrollers",
  "secrets",
]);

const made = new Map<string, Evaluator>();

/** How a resource counts in quotas; undefined for what never does: events are no load of a user's making. */
export function evaluatorFor({ group, resource }: Resource): Evaluator | undefined {
  if (resource === "events" && (group === "" || group === "events.k8s.io")) return undefined;
  const key = `${resource}.${group}`;
  const known = made.get(key);
  if (known) return known;
  const core = group === "";
  const evaluator =
    (core ? special[resource] : undefined) ??
    objectCount({ group, resource }, one, core && oldNames.has(resource) ? resource : undefined);
  made.set(key, evaluator);
  return evaluator;
}
