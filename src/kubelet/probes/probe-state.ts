import type { corev1 } from "../../api/index.ts";

export type ProbeType = "startup" | "liveness" | "readiness";
export type ProbeResult = "success" | "failure";

/** One probe of one running container, between two runs. */
export interface ProbeState {
  /** What the container's status shows; undefined: not known yet. */
  verdict: ProbeResult | undefined;
  /** The last results, all the same, and how many. */
  last: ProbeResult | undefined;
  run: number;
  /** It has decided: no further run for this container. */
  isDone: boolean;
}

/** As prober's worker: readiness starts as failure, liveness as success, startup as unknown. */
export function firstState(type: ProbeType): ProbeState {
  const verdict = { readiness: "failure", liveness: "success", startup: undefined } as const;
  return { verdict: verdict[type], last: undefined, run: 0, isDone: false };
}

/** The state after one more result. Pure. As prober's doProbe. */
export function afterResult(
  state: ProbeState,
  type: ProbeType,
  spec: corev1.Probe,
  result: ProbeResult,
): ProbeState {
  const run = state.last === result ? state.run + 1 : 1;
  const threshold = result === "failure" ? (spec.failureThreshold ?? 3) : (spec.successThreshold ?? 1);
  if (run < threshold) return { ...state, last: result, run };
  const isDone = (type === "liveness" && result === "failure") || type === "startup";
  return { verdict: result, last: result, run: isDone ? 0 : run, isDone };
}
