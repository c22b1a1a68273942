import type { corev1 } from "../../api/index.ts";
import type { ObservedSandbox, PodObservation } from "./observation.ts";

/** The sandbox to run in, or the attempt with which a new one must be made. */
export type SandboxNeed = { has: ObservedSandbox } | { create: { attempt: number; changed: boolean } };

/** As kubelet's PodSandboxChanged. */
export function sandboxNeed(pod: corev1.Pod, observed: PodObservation): SandboxNeed {
  const latest = observed.sandboxes[0];
  if (!latest) return { create: { attempt: 0, changed: false } };
  const ready = observed.sandboxes.filter((sandbox) => sandbox.state === "ready").length;
  const hostNetwork = pod.spec!.hostNetwork === true;
  const usable =
    latest.state === "ready" &&
    ready === 1 &&
    latest.hostNetwork === hostNetwork &&
    (hostNetwork || latest.ips.length > 0);
  return usable ? { has: latest } : { create: { attempt: latest.attempt + 1, changed: true } };
}
