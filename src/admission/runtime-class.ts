import type { corev1, nodev1 } from "../api/index.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./contract.ts";
import { isCore, type Lookup, refusal } from "./refuse.ts";

/**
 * Adds to a new pod what its class says: the overhead, and where its nodes are. A class that is not there is refused.
 * As `plugin/pkg/admission/runtimeclass`.
 */
export function runtimeClass(getClass: (name: string) => Lookup<nodev1.RuntimeClass>): AdmissionPlugin {
  const classOf = async (request: AdmissionRequest): Promise<nodev1.RuntimeClass | undefined> => {
    const { runtimeClassName } = (request.object as corev1.Pod).spec;
    if (!runtimeClassName) return undefined;
    const found = await getClass(runtimeClassName);
    if (!found) throw refusal(request, `pod rejected: RuntimeClass "${runtimeClassName}" not found`);
    return found;
  };
  return {
    name: "RuntimeClass",
    wants: (request) => request.operation === "CREATE" && isCore(request, "pods"),
    async mutate(request) {
      const found = await classOf(request);
      if (!found) return;
      const pod = request.object as corev1.Pod;
      const overhead = found.overhead?.podFixed;
      if (found.overhead) {
        if (hasAny(pod.spec.overhead) && !sameAmounts(pod.spec.overhead, overhead)) throw mismatch(request);
        pod.spec = { ...pod.spec, ...(overhead && { overhead }) };
      }
      if (found.scheduling) pod.spec = withScheduling(request, pod.spec, found.scheduling);
    },
    async validate(request) {
      const { overhead } = (request.object as corev1.Pod).spec;
      const found = await classOf(request);
      if (found?.overhead) {
        if (!sameAmounts(overhead, found.overhead.podFixed)) throw mismatch(request);
      } else if (hasAny(overhead)) {
        throw refusal(
          request,
          "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        );
      }
    },
  };
}

type Amounts = Readonly<Record<string, string>>;

const hasAny = (amounts: Amounts | undefined) => amounts !== undefined && Object.keys(amounts).length > 0;

/** Both in canonical form. */
function sameAmounts(a: Amounts = {}, b: Amounts = {}): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

const mismatch = (request: AdmissionRequest) =>
  refusal(request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");

function withScheduling(
  request: AdmissionRequest,
  spec: corev1.PodSpec,
  { nodeSelector, tolerations }: nodev1.Scheduling,
): corev1.PodSpec {
  for (const [key, value] of Object.entries(nodeSelector ?? {})) {
    const own = spec.nodeSelector?.[key];
    if (own !== undefined && own !== value) {
      throw refusal(
        request,
        `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`,
      );
    }
  }
  return {
    ...spec,
    ...((spec.nodeSelector ?? nodeSelector) && { nodeSelector: { ...spec.nodeSelector, ...nodeSelector } }),
    ...((spec.tolerations ?? tolerations) && {
      tolerations: mergeTolerations(spec.tolerations ?? [], tolerations ?? []),
    }),
  };
}

/** Both lists without those that another one covers; of equal ones the first stays. As `pkg/util/tolerations`. */
export function mergeTolerations(
  first: readonly corev1.Toleration[],
  second: readonly corev1.Toleration[],
): corev1.Toleration[] {
  const all = [...first, ...second];
  const merged: corev1.Toleration[] = [];
  all.forEach((each, i) => {
    const isCovered =
      merged.some((other) => covers(other, each)) ||
      all.slice(i + 1).some((other) => !isEqual(each, other) && covers(other, each));
    if (!isCovered) merged.push(each);
  });
  return merged;
}

const fields = ["key", "operator", "value", "effect", "tolerationSeconds"] as const;
const isEqual = (a: corev1.Toleration, b: corev1.Toleration) =>
  fields.every((field) => (a[field] ?? "") === (b[field] ?? ""));

function covers(wide: corev1.Toleration, narrow: corev1.Toleration): boolean {
  if (isEqual(wide, narrow)) return true;
  const isForAllKeys = !wide.key && wide.operator === "Exists";
  if ((wide.key ?? "") !== (narrow.key ?? "") && !isForAllKeys) return false;
  if (wide.effect && wide.effect !== narrow.effect) return false;
  if (wide.effect === "NoExecute" && wide.tolerationSeconds !== undefined) {
    const seconds = narrow.tolerationSeconds;
    if (seconds === undefined || seconds > wide.tolerationSeconds) return false;
  }
  if (wide.operator === "Exists") return true;
  return narrow.operator === "Equal" && (wide.value ?? "") === (narrow.value ?? "");
}
