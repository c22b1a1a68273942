import { asksToRestartAll, type corev1 } from "../../api/index.ts";
import { killAll } from "./kill.ts";
import { newest, type PodObservation } from "./observation.ts";
import type { Step } from "./step.ts";

/** The init and main containers: those that RestartAllContainers is about. */
export const resettable = (spec: corev1.PodSpec): corev1.Container[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
];

/** Whether the container has ended in a way by which all of its pod's containers are to start anew. */
export function isResetSource(container: corev1.Container, observed: PodObservation): boolean {
  const latest = newest(observed, container.name);
  return latest?.state === "exited" && asksToRestartAll(container, latest.exitCode ?? 0);
}

/**
 * All containers of a pod start anew, in its sandbox and with its volumes, because one has ended with an exit code whose
 * rule says so: all are killed without grace and forgotten, those that asked for it last, so that it is known until it
 * is done. Undefined where nothing asks for it. As kubelet's getContainersToReset.
 */
export function planReset(pod: corev1.Pod, observed: PodObservation): Step[] | undefined {
  const containers = resettable(pod.spec!);
  const sources = new Set(
    containers.filter((container) => isResetSource(container, observed)).map(({ name }) => name),
  );
  if (sources.size === 0) return undefined;
  const names = new Set(containers.map(({ name }) => name));
  const all = observed.containers.filter(({ name }) => names.has(name));
  const kills = killAll(pod, { ...observed, containers: all }, "RestartAllContainers");
  if (kills.length > 0) return kills.map((kill) => ({ ...kill, graceS: 0, message: "killing" }) as Step);
  if ([...observed.underway].some((key) => key.startsWith("container/"))) return [];
  const others = all.filter(({ name }) => !sources.has(name));
  return (others.length > 0 ? others : all).map(({ id, name }) => ({
    do: "removeContainer",
    containerId: id,
    container: name,
    logs: "keep",
  }));
}
