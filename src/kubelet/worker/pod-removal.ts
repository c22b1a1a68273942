import type { corev1 } from "../../api/index.ts";
import { formatPod } from "../status/container-statuses.ts";
import { Backoff } from "./backoff.ts";
import type { PodServices } from "./services.ts";
import { messageOf } from "./start-error.ts";

const removalBackoff = { initialMs: 200, capMs: 30_000 };

/**
 * The pod has ended and is to go: its last status is written, its object removed, and all that is left of it here.
 * Tried until it succeeds, or the agent stops.
 */
export async function removePod(
  services: PodServices,
  pod: corev1.Pod,
  left: { sandboxIds: readonly string[]; object: "present" | "gone"; isStopped(): boolean },
): Promise<"removed" | "stopped"> {
  const { clock, files, log, runtime, statuses } = services;
  const backoff = new Backoff(removalBackoff);
  const removeObject = async () => {
    if (left.object === "gone") return;
    // The look that led here sets the last status in the same turn.
    await Promise.resolve();
    await statuses.flushed(pod.metadata.uid!);
    await statuses.deletePod(pod);
  };
  const removeRest = async () => {
    for (const id of left.sandboxIds) await runtime.removePodSandbox(id);
    await files.remove(pod);
  };
  for (;;) {
    try {
      await Promise.all([removeObject(), removeRest()]);
      statuses.forget(pod.metadata.uid!);
      return "removed";
    } catch (error) {
      log.warn(
        { pod: formatPod(pod), error: messageOf(error) },
        "removing a pod failed; it will be tried again",
      );
      await clock.sleep(backoff.next());
    }
    if (left.isStopped()) return "stopped";
  }
}
