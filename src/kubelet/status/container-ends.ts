import type { corev1 } from "../../api/index.ts";
import type { Series } from "../stats/exposition.ts";
import { LabelledCounter } from "../stats/labelled-counter.ts";

const lists = [
  ["initContainerStatuses", "init_container"],
  ["containerStatuses", "container"],
  ["ephemeralContainerStatuses", "ephemeral_container"],
] as const;

/** How often containers have ended, by what they ended with. Counted where the status of one changes, as upstream. */
export class ContainerEnds {
  readonly #counter = new LabelledCounter();

  see(before: corev1.PodStatus, now: corev1.PodStatus): void {
    for (const [list, containerType] of lists) {
      for (const { name, state } of now[list] ?? []) {
        if (!state?.terminated) continue;
        const old = before[list]?.find((each) => each.name === name);
        if (old?.state?.terminated) continue;
        const { exitCode, reason = "" } = state.terminated;
        this.#counter.count({ container_type: containerType, exit_code: String(exitCode), reason });
      }
    }
  }

  get series(): readonly Series[] {
    return this.#counter.series;
  }
}
