import type { corev1, schedulingv1 } from "../api/index.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./contract.ts";
import { isCore, type Lookup, refusal } from "./refuse.ts";

export interface PriorityClasses {
  get(name: string): Lookup<schedulingv1.PriorityClass>;
  /** Those whose pods need not name them. */
  defaults(): Lookup<readonly schedulingv1.PriorityClass[]>;
}

/**
 * Turns a pod's priority class into its number, which only the server may write; keeps a second class from being the
 * default. As `plugin/pkg/admission/priority`.
 */
export function priority(classes: PriorityClasses): AdmissionPlugin {
  return {
    name: "Priority",
    wants: (request) =>
      (request.operation === "CREATE" || request.operation === "UPDATE") &&
      (isCore(request, "pods") || isPriorityClass(request)),
    async mutate(request) {
      if (isPriorityClass(request)) return;
      const pod = request.object as corev1.Pod;
      if (request.operation === "UPDATE") keepPriority(pod, request.old as corev1.Pod | undefined);
      else pod.spec = withPriority(request, pod.spec, await priorityOf(request, pod.spec, classes));
    },
    async validate(request) {
      const object = request.object as schedulingv1.PriorityClass | undefined;
      if (!isPriorityClass(request) || !object?.globalDefault) return;
      const others = ((await classes.defaults()) ?? []).filter(
        ({ metadata, globalDefault }) => globalDefault && metadata.name !== object.metadata.name,
      );
      const other = others[0]?.metadata.name;
      if (other)
        throw refusal(
          request,
          `PriorityClass ${other} is already marked as default. Only one default can exist`,
        );
    },
  };
}

const isPriorityClass = ({ resource }: AdmissionRequest) =>
  resource.group === "scheduling.k8s.io" && resource.resource === "priorityclasses";

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

/** What a class says of its pods. */
interface PodPriority {
  name: string;
  value: number;
  preemptionPolicy: corev1.PodSpec["preemptionPolicy"];
}

async function priorityOf(
  request: AdmissionRequest,
  { priorityClassName }: corev1.PodSpec,
  classes: PriorityClasses,
): Promise<PodPriority> {
  if (!priorityClassName) return defaultPriority((await classes.defaults()) ?? []);
  const found = await classes.get(priorityClassName);
  if (!found) throw refusal(request, `no PriorityClass with name ${priorityClassName} was found`);
  return said(found);
}

/** Of several defaults (two were made at once) the lowest counts, so that nobody pushes others aside by chance. */
export function defaultPriority(classes: readonly schedulingv1.PriorityClass[]): PodPriority {
  const [lowest] = classes
    .filter(({ globalDefault }) => globalDefault)
    .sort((a, b) => (a.value ?? 0) - (b.value ?? 0));
  return lowest ? said(lowest) : { name: "", value: 0, preemptionPolicy: "PreemptLowerPriority" };
}

const said = ({ metadata, value = 0, preemptionPolicy }: schedulingv1.PriorityClass): PodPriority => ({
  name: metadata.name!,
  value,
  preemptionPolicy: preemptionPolicy as PodPriority["preemptionPolicy"],
});

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
