import { type corev1, isSidecar } from "../../api/index.ts";

type Status = corev1.ContainerStatus;

const lost: corev1.ContainerState = {
  terminated: {
    reason: "ContainerStatusUnknown",
    message: "The container could not be located when the pod was terminated",
    exitCode: 137,
  },
};

/**
 * The last statuses of a pod of which nothing will run any more: whatever could have run has ended, and where nobody saw
 * how, badly. What the pod never got to stays as it was. As the status manager's TerminatePod.
 */
export function terminated(
  spec: corev1.PodSpec,
  inits: readonly Status[],
  mains: readonly Status[],
): { inits: Status[]; mains: Status[] } {
  const tried = triedCount(inits);
  return {
    inits: inits.map((status, i) => (i < tried ? ended(status) : status)),
    mains: hasInitialized(spec, inits, mains) ? mains.map(ended) : [...mains],
  };
}

const ended = (status: Status): Status =>
  status.state?.terminated ? status : { ...status, state: lost, ready: false, started: false };

/** Those up to the last that was ever started; the first in any case. */
function triedCount(inits: readonly Status[]): number {
  const last = inits.findLastIndex(({ state, lastState }) => !state?.waiting || lastState?.terminated);
  return last < 0 ? Math.min(inits.length, 1) : last + 1;
}

function hasInitialized(spec: corev1.PodSpec, inits: readonly Status[], mains: readonly Status[]): boolean {
  const last = spec.initContainers?.at(-1);
  if (!last) return true;
  if (mains.some(({ state, lastState }) => lastState?.terminated || !state?.waiting)) return true;
  const status = inits.at(-1);
  if (isSidecar(last)) return status?.state?.running !== undefined && status.started === true;
  return status?.state?.terminated?.exitCode === 0 || status?.lastState?.terminated?.exitCode === 0;
}
