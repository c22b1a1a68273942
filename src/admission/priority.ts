import type { corev1 } from "../api/index.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./contract.ts";
import { isCore, type Lookup, refusal } from "./refuse.ts";

/** What a PriorityClass says of its pods. */
export interface PodPriority {
  name: string;
  value: number;
  preemptionPolicy?: "PreemptLowerPriority" | "Never";
}

export interface PriorityClasses {
  get(name: string): Lookup<PodPriority>;
  /** The class that pods without one get. */
  default(): Lookup<PodPriority>;
}

/** The classes that every cluster has, for what it can't run without. */
const systemClasses = new Map<string, PodPriority>(
  (
    [
      ["system-cluster-critical", 2_000_000_000],
      ["system-node-critical", 2_000_001_000],
    ] as const
  ).map(([name, value]) => [name, { name, value, preemptionPolicy: "PreemptLowerPriority" }]),
);

/** With only these. */
export const systemPriorityClasses: PriorityClasses = {
  get: (name) => systemClasses.get(name),
  default: () => undefined,
};

/** Turns a pod's priority class into its number, which only the server may write. As `plugin/pkg/admission/priority`. */
export function priority(classes: PriorityClasses): AdmissionPlugin {
  return {
    name: "Priority",
    wants: (request) =>
      (request.operation === "CREATE" || request.operation === "UPDATE") && isCore(request, "pods"),
    async mutate(request) {
      const pod = request.object as corev1.Pod;
      if (request.operation === "UPDATE") keepPriority(pod, request.old as corev1.Pod | undefined);
      else pod.spec = withPriority(request, pod.spec, await priorityOf(request, pod.spec, classes));
    },
  };
}

function keepPriority(pod: corev1.Pod, old: corev1.Pod | undefined): void {
  const { priority, preemptionPolicy } = old?.spec ?? {};
  const { spec } = pod;
  const lacks =
    (spec.priority === undefined && priority !== undefined) ||
    (spec.preemptionPolicy === undefined && preemptionPolicy !== undefined);
  if (!lacks) return;
  pod.spec = {
    ...spec,
    ...(spec.priority === undefined && priority !== undefined && { priority }),
    ...(spec.preemptionPolicy === undefined && preemptionPolicy !== undefined && { preemptionPolicy }),
  };
}

async function priorityOf(
  request: AdmissionRequest,
  { priorityClassName }: corev1.PodSpec,
  classes: PriorityClasses,
): Promise<PodPriority> {
  if (!priorityClassName) {
    return (await classes.default()) ?? { name: "", value: 0, preemptionPolicy: "PreemptLowerPriority" };
  }
  const found = systemClasses.get(priorityClassName) ?? (await classes.get(priorityClassName));
  if (!found) throw refusal(request, `no PriorityClass with name ${priorityClassName} was found`);
  return found;
}

function withPriority(
  request: AdmissionRequest,
  spec: corev1.PodSpec,
  { name, value, preemptionPolicy }: PodPriority,
): corev1.PodSpec {
  if (spec.priority !== undefined && spec.priority !== null && spec.priority !== value) {
    throw refusal(
      request,
      `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
    );
  }
  if (preemptionPolicy && spec.preemptionPolicy && spec.preemptionPolicy !== preemptionPolicy) {
    throw refusal(
      request,
      `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${preemptionPolicy} from the given PriorityClass name`,
    );
  }
  return {
    ...spec,
    ...(name && { priorityClassName: name }),
    priority: value,
    ...(preemptionPolicy && { preemptionPolicy }),
  };
}
