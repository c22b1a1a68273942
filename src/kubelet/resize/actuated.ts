import type { corev1 } from "../../api/index.ts";
import { Quantity } from "../../machinery/index.ts";
import { milliOf, wholeOf } from "../container/quantities.ts";

/** What a container was last started or updated with; 0 is none. */
export interface Actuated {
  cpuRequestMilli: number;
  cpuLimitMilli: number;
  memoryRequestBytes: number;
  memoryLimitBytes: number;
}

/** What a container is to have; where it has no limit of its own, that of its pod counts. */
export function wantedOf(pod: corev1.Pod, container: corev1.Container): Actuated {
  const { requests = {}, limits = {} } = container.resources ?? {};
  const ofPod = pod.spec!.resources?.limits ?? {};
  return {
    cpuRequestMilli: milliOf(requests.cpu),
    cpuLimitMilli: milliOf(limits.cpu) || milliOf(ofPod.cpu),
    memoryRequestBytes: wholeOf(requests.memory),
    memoryLimitBytes: wholeOf(limits.memory) || wholeOf(ofPod.memory),
  };
}

const fields = ["cpuRequestMilli", "cpuLimitMilli", "memoryRequestBytes", "memoryLimitBytes"] as const;

export const sameActuated = (a: Actuated, b: Actuated): boolean =>
  fields.every((field) => a[field] === b[field]);

/** For an annotation: four numbers. */
export const formatActuated = (actuated: Actuated): string =>
  fields.map((field) => actuated[field]).join(",");

/** Undefined for a container made by an agent that did not say. */
export function parseActuated(text: string | undefined): Actuated | undefined {
  const numbers = (text ?? "").split(",").map(Number);
  if (!text || numbers.length !== fields.length || numbers.some((value) => !Number.isSafeInteger(value)))
    return undefined;
  const [cpuRequestMilli, cpuLimitMilli, memoryRequestBytes, memoryLimitBytes] = numbers as [
    number,
    number,
    number,
    number,
  ];
  return { cpuRequestMilli, cpuLimitMilli, memoryRequestBytes, memoryLimitBytes };
}

/**
 * The resources that a status shows of a running container: what it was given, but for amounts that are still on
 * their way.
 */
export function shownResources(
  pod: corev1.Pod,
  container: corev1.Container,
  actuated: Actuated | undefined,
): corev1.ResourceRequirements {
  const { claims: _, ...resources } = container.resources ?? {};
  const wanted = wantedOf(pod, container);
  if (!actuated || sameActuated(actuated, wanted)) return resources;
  const shown = (list: "requests" | "limits", cpu: keyof Actuated, memory: keyof Actuated) => {
    const given = resources[list];
    if (!given) return {};
    const made = { ...given };
    if (actuated[cpu] !== wanted[cpu])
      put(made, "cpu", actuated[cpu], Quantity.ofMilli(actuated[cpu]).toString());
    if (actuated[memory] !== wanted[memory])
      put(made, "memory", actuated[memory], Quantity.of(actuated[memory], "binarySI").toString());
    return { [list]: made };
  };
  return {
    ...resources,
    ...shown("requests", "cpuRequestMilli", "memoryRequestBytes"),
    ...shown("limits", "cpuLimitMilli", "memoryLimitBytes"),
  };
}

function put(list: Record<string, string>, name: string, amount: number, text: string): void {
  if (amount === 0) delete list[name];
  else list[name] = text;
}
