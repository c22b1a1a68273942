import type { corev1 } from "../../api/index.ts";
import { milliOf, wholeOf } from "./quantities.ts";

/** What of the node goes into a pod's fields. */
export interface NodeFacts {
  hostIps: readonly string[];
  /** Stand for limits that a container does not have. */
  allocatable: Readonly<Record<string, string>>;
}

/** The value of a downward API `fieldRef`. `podIps` are the sandbox's, which the object may not know yet. */
export function fieldValue(
  path: string,
  pod: corev1.Pod,
  podIps: readonly string[],
  node: NodeFacts,
): string {
  const { metadata, spec } = pod;
  switch (path) {
    case "metadata.name":
      return metadata.name ?? "";
    case "metadata.namespace":
      return metadata.namespace ?? "";
    case "metadata.uid":
      return metadata.uid ?? "";
    case "metadata.labels":
      return formatMap(metadata.labels);
    case "metadata.annotations":
      return formatMap(metadata.annotations);
    case "spec.nodeName":
      return spec!.nodeName ?? "";
    case "spec.serviceAccountName":
      return spec!.serviceAccountName ?? "";
    case "status.hostIP":
      return node.hostIps[0] ?? "";
    case "status.hostIPs":
      return node.hostIps.join(",");
    case "status.podIP":
      return podIps[0] ?? "";
    case "status.podIPs":
      return podIps.join(",");
  }
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  if (subscript) return metadata[subscript[1] as "labels" | "annotations"]?.[subscript[2]!] ?? "";
  throw new Error(`unsupported fieldPath: ${path}`);
}

/** One `key="value"` a line, in order of keys; the value quoted as Go's %q does. */
export function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${goQuote(value)}`)
    .join("\n");
}

/** Go's strconv.Quote differs from JSON in few control characters. */
function goQuote(text: string): string {
  const json = JSON.stringify(text);
  return json
    .replaceAll("\\u0007", "\\a")
    .replaceAll("\\b", "\\b")
    .replaceAll("\\u000b", "\\v")
    .replace(/\\u00([01][0-9a-f])/g, "\\x$1")
    .replaceAll("\u007f", "\\x7f");
}

/**
 * The value of a `resourceFieldRef`: rounded up to whole divisors. Limits that are not set are the pod's, or the node's
 * allocatable. As defaultPodLimitsForDownwardAPI.
 */
export function resourceValue(
  selector: corev1.ResourceFieldSelector,
  container: corev1.Container,
  pod: corev1.Pod,
  node: NodeFacts,
): string {
  const { resource } = selector;
  const [kind, ...rest] = resource.split(".");
  const name = rest.join(".");
  const requests = container.resources?.requests ?? {};
  const limits = container.resources?.limits ?? {};
  const known =
    name === "cpu" || name === "memory" || name === "ephemeral-storage" || name.startsWith("hugepages-");
  if ((kind !== "limits" && kind !== "requests") || !known) {
    throw new Error(`unsupported container resource : ${resource}`);
  }
  const ofPod = name === "cpu" || name === "memory" ? pod.spec!.resources?.limits?.[name] : undefined;
  const limit = nonZero(limits[name]) ?? nonZero(ofPod) ?? node.allocatable[name];
  const quantity = kind === "limits" ? limit : requests[name];
  const divisor = selector.divisor ?? "0";
  if (name === "cpu") {
    const divisorMilli = milliOf(divisor) || 1_000;
    return String(Math.ceil(milliOf(quantity) / divisorMilli));
  }
  return String(Math.ceil(wholeOf(quantity) / (wholeOf(divisor) || 1)));
}

const nonZero = (quantity: string | undefined) => (wholeOf(quantity) === 0 ? undefined : quantity);
