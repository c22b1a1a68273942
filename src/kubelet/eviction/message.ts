import type { corev1 } from "../../api/index.ts";
import { parseQuantity, Quantity } from "../../machinery/index.ts";
import { thresholdAmount } from "../config/thresholds.ts";
import { resourceOf, type StarvedResource } from "./signals.ts";
import type { Threshold } from "./thresholds.ts";
import type { ContainerUse, Observations, PodUse } from "./usage.ts";

/** Of status and event alike. */
export const evictedReason = "Evicted";

export interface EvictionMessage {
  message: string;
  /** Of the event, for programs. */
  annotations: Record<string, string>;
}

const bytes = (value: number) => Quantity.of(value, "binarySI").toString();
const amountOf = (resource: StarvedResource, value: number) =>
  resource === "memory" || resource === "ephemeral-storage" ? bytes(value) : Quantity.of(value).toString();

/** Why a pod is evicted for what the node is short of. As upstream's evictionMessage, word for word. */
export function evictionMessage(
  pod: corev1.Pod,
  resource: StarvedResource,
  use: PodUse | undefined,
  thresholds: readonly Threshold[],
  observations: Observations,
): EvictionMessage {
  let message = `The node was low on resource: ${resource}. `;
  const met = thresholds.find(({ signal }) => resourceOf(signal) === resource && observations.has(signal));
  if (met) {
    const { available, capacity } = observations.get(met.signal)!;
    const threshold =
      "quantity" in met.value ? `${met.value.quantity}` : bytes(thresholdAmount(met.value, capacity));
    message += `Threshold quantity: ${threshold}, available: ${amountOf(resource, available)}. `;
  }
  const annotations: Record<string, string> = {};
  if (!use) return { message, annotations };

  const ofPod = pod.spec!.resources?.requests?.["memory"];
  if (resource === "memory" && ofPod !== undefined && use.memoryBytes !== undefined) {
    const used = bytes(use.memoryBytes);
    message += `Pod ${pod.metadata.name} was using ${used}, request is ${ofPod}, has larger consumption of ${resource}. `;
    annotations["offending_pod"] = pod.metadata.name!;
    annotations["offending_pod_usage"] = used;
  }
  const exceeding: { name: string; used: string }[] = [];
  for (const { name, resources } of [...pod.spec!.containers, ...(pod.spec!.initContainers ?? [])]) {
    const used = usedBy(use.containers.get(name), resource);
    if (used === undefined) continue;
    const request = parseQuantity(String(resources?.requests?.[resource] ?? "0"));
    if (used <= request.value()) continue;
    message += `Container ${name} was using ${bytes(used)}, request is ${request}, has larger consumption of ${resource}. `;
    exceeding.push({ name, used: bytes(used) });
  }
  annotations["offending_containers"] = exceeding.map(({ name }) => name).join(",");
  annotations["offending_containers_usage"] = exceeding.map(({ used }) => used).join(",");
  annotations["starved_resource"] = resource;
  return { message, annotations };
}

function usedBy(use: ContainerUse | undefined, resource: StarvedResource): number | undefined {
  if (!use) return undefined;
  if (resource === "memory") return use.memoryBytes;
  if (resource === "ephemeral-storage" && use.root && use.logs) return use.root.bytes + use.logs.bytes;
  return undefined;
}
