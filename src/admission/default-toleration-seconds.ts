import type { corev1 } from "../api/index.ts";
import type { AdmissionPlugin } from "./contract.ts";
import { isCore } from "./refuse.ts";

const taintKeys = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
/** A node that comes back within five minutes finds its pods still its own. */
const tolerationSecondsDefault = 300;

/** Lets a pod outlast a short failure of its node, unless it says otherwise. As `plugin/pkg/admission/defaulttolerationseconds`. */
export const defaultTolerationSeconds: AdmissionPlugin = {
  name: "DefaultTolerationSeconds",
  wants: (request) =>
    (request.operation === "CREATE" || request.operation === "UPDATE") && isCore(request, "pods"),
  mutate(request) {
    const pod = request.object as corev1.Pod;
    const tolerations = pod.spec.tolerations ?? [];
    const missing = taintKeys.filter((key) => !tolerations.some((toleration) => isAbout(toleration, key)));
    if (missing.length === 0) return;
    const added = missing.map(
      (key): corev1.Toleration => ({
        key,
        operator: "Exists",
        effect: "NoExecute",
        tolerationSeconds: tolerationSecondsDefault,
      }),
    );
    pod.spec = { ...pod.spec, tolerations: [...tolerations, ...added] };
  },
};

const isAbout = ({ key, effect }: corev1.Toleration, taintKey: string) =>
  (!key || key === taintKey) && (!effect || effect === "NoExecute");
