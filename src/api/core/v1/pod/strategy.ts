import type { corev1 } from "../../../index.ts";
import type { Strategy } from "../../../kind.ts";
import { semanticallyEqual } from "../../../validation/values.ts";
import { isPodTerminal } from "./conditions.ts";
import { defaultPod } from "./defaults.ts";
import { ephemeralContainersStrategy } from "./ephemeral-containers.ts";
import { applyLabelKeys } from "./label-keys.ts";
import { computeQosClass } from "./qos.ts";
import { resizeStrategy } from "./resize.ts";
import { unsupportedInPod } from "./unsupported.ts";
import { validateNewPod, validatePod } from "./validation/pod.ts";
import { validatePodStatusUpdate } from "./validation/status.ts";
import { validatePodUpdate } from "./validation/update.ts";
import { podWarnings } from "./warnings.ts";

/** Counterpart upstream: `pkg/registry/core/pod.podStrategy`. */
export const podStrategy: Strategy<corev1.Pod> = {
  tracksGeneration: true,
  returnsDeletedObject: true,
  applyDefaults: defaultPod,
  prepareForCreate(pod) {
    // What admission has added needs its defaults, too: an update could not add them.
    defaultPod(pod);
    pod.status = { phase: "Pending", qosClass: computeQosClass(pod.spec!) };
    if (pod.spec!.schedulingGates?.length) pod.status.conditions = [gatedCondition];
    applyLabelKeys(pod);
  },
  validate(pod) {
    const errors = validatePod(pod);
    // What has no resourceVersion was never stored.
    if (!pod.metadata.resourceVersion) errors.push(...validateNewPod(pod));
    errors.push(...unsupportedInPod(pod.spec!, "spec").errors);
    return errors;
  },
  validateUpdate: validatePodUpdate,
  warnings: podWarnings,
  prepareForStatusUpdate(pod, old) {
    pod.status ??= {};
    pod.status.qosClass ||= old.status?.qosClass;
    keepObservedGenerations(pod.status, old.status);
  },
  validateStatusUpdate: validatePodStatusUpdate,
  parts: { ephemeralcontainers: ephemeralContainersStrategy, resize: resizeStrategy },
  gracePeriodS(pod, requestedS) {
    // Nothing runs that would have to be given time.
    if (!pod.spec!.nodeName || isPodTerminal(pod)) return 0;
    const graceS = requestedS ?? pod.spec!.terminationGracePeriodSeconds ?? 0;
    return graceS < 0 ? 1 : graceS;
  },
};

const gatedCondition: corev1.PodCondition = {
  type: "PodScheduled",
  status: "False",
  reason: "SchedulingGated",
  message: "Scheduling is blocked due to non-empty scheduling gates",
};

/** A reporter that knows nothing of `observedGeneration` must not clear it. */
function keepObservedGenerations(status: corev1.PodStatus, old: corev1.PodStatus | undefined): void {
  if (!status.observedGeneration && old?.observedGeneration)
    status.observedGeneration = old.observedGeneration;
  if (!status.conditions || semanticallyEqual(status.conditions, old?.conditions)) return;
  for (const condition of status.conditions) {
    const before = old?.conditions?.find(({ type }) => type === condition.type);
    if (!condition.observedGeneration && before?.observedGeneration)
      condition.observedGeneration = before.observedGeneration;
  }
}
