import type { corev1 } from "../../api/index.ts";

const annotation = "kubernetes.io/limit-ranger";

type Amounts = Record<string, string>;

/**
 * The pod with a limit range's defaults in the containers that say nothing themselves, and an annotation that tells
 * which; undefined when there is nothing to add. Pure.
 */
export function withDefaults(pod: corev1.Pod, range: corev1.LimitRange): corev1.Pod | undefined {
  const defaults = { requests: {} as Amounts, limits: {} as Amounts };
  for (const item of range.spec.limits ?? []) {
    if (item.type !== "Container") continue;
    Object.assign(defaults.requests, item.defaultRequest);
    Object.assign(defaults.limits, item.default);
  }
  const notes: string[] = [];
  const each = (what: string) => (container: corev1.Container) => {
    const { requests = {}, limits = {}, ...rest } = container.resources ?? {};
    const addedRequests = missing(defaults.requests, requests);
    const addedLimits = missing(defaults.limits, limits);
    const told = (added: Amounts, of: string) => {
      const names = Object.keys(added).sort();
      if (names.length > 0) notes.push(`${names.join(", ")} ${of} for ${what} ${container.name}`);
    };
    told(addedRequests, "request");
    told(addedLimits, "limit");
    const all = { requests: { ...requests, ...addedRequests }, limits: { ...limits, ...addedLimits } };
    return {
      ...container,
      resources: {
        ...(Object.keys(all.limits).length > 0 && { limits: all.limits }),
        ...(Object.keys(all.requests).length > 0 && { requests: all.requests }),
        ...rest,
      },
    };
  };
  const containers = pod.spec!.containers.map(each("container"));
  const initContainers = pod.spec!.initContainers?.map(each("init container"));
  if (notes.length === 0) return undefined;
  const annotations = {
    ...pod.metadata.annotations,
    [annotation]: `LimitRanger plugin set: ${notes.join("; ")}`,
  };
  return {
    ...pod,
    metadata: { ...pod.metadata, annotations },
    spec: { ...pod.spec!, containers, ...(initContainers && { initContainers }) },
  };
}

const missing = (defaults: Readonly<Amounts>, given: Readonly<Amounts>): Amounts =>
  Object.fromEntries(Object.entries(defaults).filter(([name]) => !(name in given)));
