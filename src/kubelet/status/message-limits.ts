import type { corev1 } from "../../api/index.ts";

type Status = corev1.ContainerStatus;

/** As kubelet: what all of a pod's containers say of their ends, together. */
const messagesBytesMax = 12 * 1_024;

/** Cuts what each container says of its end to its share of what a pod may say. As the status manager's normalizeStatus. */
export function withMessagesCut(lists: readonly (readonly Status[])[]): Status[][] {
  const count = lists.reduce((sum, { length }) => sum + length, 0);
  const bytesMax = Math.floor(messagesBytesMax / Math.max(count, 1));
  return lists.map((statuses) =>
    statuses.map((status) => {
      const state = cut(status.state, bytesMax);
      const lastState = cut(status.lastState, bytesMax);
      return state === status.state && lastState === status.lastState
        ? status
        : { ...status, state, lastState };
    }),
  );
}

function cut(state: corev1.ContainerState | undefined, bytesMax: number): corev1.ContainerState | undefined {
  const { message } = state?.terminated ?? {};
  if (message === undefined || Buffer.byteLength(message) <= bytesMax) return state;
  // A character that the end falls into goes whole.
  const short = Buffer.from(message)
    .subarray(0, bytesMax)
    .toString("utf8")
    .replace(/\uFFFD+$/, "");
  return { terminated: { ...state!.terminated!, message: short } };
}
