import type { corev1 } from "../../api/index.ts";
import type { Series } from "../stats/exposition.ts";
import type { ProbeOutcome } from "./run-probe.ts";

/** As `prober_probe_total` names them. */
const results = {
  success: "successful",
  warning: "successful",
  failure: "failed",
  error: "unknown",
} as const satisfies Record<ProbeOutcome["outcome"], string>;

/** How often one probe of a container was tried, by result. */
export class ProbeCounts {
  readonly #labels: Record<string, string>;
  readonly #values = { successful: 0, failed: 0, unknown: 0 };

  constructor(pod: corev1.Pod, container: string, type: string) {
    const { name, namespace, uid } = pod.metadata;
    this.#labels = {
      probe_type: type,
      result: "",
      container,
      pod: name!,
      namespace: namespace!,
      pod_uid: uid!,
    };
  }

  count(outcome: ProbeOutcome["outcome"]): void {
    this.#values[results[outcome]]++;
  }

  /** One for each result that there was. */
  series(): Series[] {
    return Object.entries(this.#values)
      .filter(([, value]) => value > 0)
      .map(([result, value]) => ({ labels: { ...this.#labels, result }, value }));
  }
}
