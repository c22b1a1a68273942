import type { corev1 } from "../../api/index.ts";
import type { Metric, Series } from "./exposition.ts";
import { LabelledCounter } from "./labelled-counter.ts";

/**
 * How often this agent has started pods and containers, and how often that failed: counted from its own start on, by
 * upstream's names (`pkg/kubelet/metrics`).
 */
export class StartCounts {
  #pods = 0;
  #podErrors = 0;
  #userNamespacedPods = 0;
  #userNamespacedPodErrors = 0;
  /** By `container_type`. */
  readonly #containers = new LabelledCounter();
  /** By `container_type` and `code`, of which there are as many as reasons. */
  readonly #containerErrors = new LabelledCounter();

  /** A sandbox is being made. */
  podStarts(pod: corev1.Pod): void {
    this.#pods++;
    if (hasOwnUsers(pod)) this.#userNamespacedPods++;
  }

  /** Its sandbox could not be made. */
  podFailed(pod: corev1.Pod): void {
    this.#podErrors++;
    if (hasOwnUsers(pod)) this.#userNamespacedPodErrors++;
  }

  containerStarts(pod: corev1.Pod, name: string): void {
    this.#containers.count({ container_type: typeOf(pod, name) });
  }

  /** `isFirst`: none of the pod's containers has failed to start before; what is wrong with its users shows there. */
  containerFailed(pod: corev1.Pod, name: string, code: string, { isFirst }: { isFirst: boolean }): void {
    this.#containerErrors.count({ container_type: typeOf(pod, name), code });
    if (isFirst && hasOwnUsers(pod)) this.#userNamespacedPodErrors++;
  }

  metrics(): Metric[] {
    const counter = (name: string, help: string, series: readonly Series[]): Metric => ({
      ...{ name, help, series },
      type: "counter",
    });
    const one = (value: number) => [{ value }];
    return [
      counter("kubelet_started_pods_total", "Cumulative number of pods started", one(this.#pods)),
      counter(
        "kubelet_started_pods_errors_total",
        "Cumulative number of errors when starting pods",
        one(this.#podErrors),
      ),
      counter(
        "kubelet_started_containers_total",
        "Cumulative number of containers started",
        this.#containers.series,
      ),
      counter(
        "kubelet_started_containers_errors_total",
        "Cumulative number of errors when starting containers",
        this.#containerErrors.series,
      ),
      counter(
        "kubelet_started_user_namespaced_pods_total",
        "Cumulative number of pods with user namespaces started. This metric will only be collected on Linux.",
        one(this.#userNamespacedPods),
      ),
      counter(
        "kubelet_started_user_namespaced_pods_errors_total",
        "Cumulative number of errors when starting pods with user namespaces. This metric will only be collected on Linux.",
        one(this.#userNamespacedPodErrors),
      ),
    ];
  }
}

const hasOwnUsers = ({ spec }: corev1.Pod) => spec!.hostUsers === false;

function typeOf({ spec }: corev1.Pod, name: string): string {
  const isOf = (list: readonly { name: string }[] | undefined) => list?.some((each) => each.name === name);
  if (isOf(spec!.initContainers)) return "init_container";
  return isOf(spec!.ephemeralContainers) ? "ephemeral_container" : "container";
}
