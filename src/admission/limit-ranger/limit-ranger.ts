import type { corev1 } from "../../api/index.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../contract.ts";
import { type Lookup, refusal } from "../refuse.ts";
import { withDefaults } from "./defaults.ts";
import { violationsOfClaim, violationsOfPod } from "./violations.ts";

/** Gives pods the defaults of their namespace's limit ranges, and holds them and claims to them. As `plugin/pkg/admission/limitranger`. */
export function limitRanger(
  limitRangesIn: (namespace: string) => Lookup<readonly corev1.LimitRange[]>,
): AdmissionPlugin {
  return {
    name: "LimitRanger",
    // What is on its way out is left in peace.
    wants: (request) => (isPod(request) || isClaim(request)) && !request.old?.metadata.deletionTimestamp,
    async mutate(request) {
      if (!isPod(request)) return;
      const pod = request.object as corev1.Pod;
      for (const range of (await limitRangesIn(request.namespace!)) ?? []) {
        const completed = withDefaults(pod, range);
        if (completed) Object.assign(pod, completed);
      }
    },
    async validate(request) {
      for (const range of (await limitRangesIn(request.namespace!)) ?? []) {
        const broken = isPod(request)
          ? violationsOfPod(request.object as corev1.Pod, range)
          : violationsOfClaim(request.object as corev1.PersistentVolumeClaim, range);
        if (broken.length > 0)
          throw refusal(request, broken.length === 1 ? broken[0]! : `[${broken.join(", ")}]`);
      }
    },
  };
}

/** A pod's containers can change only by `/resize`. */
const isPod = ({ resource, subresource, operation }: AdmissionRequest) =>
  resource.group === "" &&
  resource.resource === "pods" &&
  (operation === "CREATE" ? subresource === undefined : operation === "UPDATE" && subresource === "resize");

const isClaim = ({ resource, subresource, operation }: AdmissionRequest) =>
  resource.group === "" &&
  resource.resource === "persistentvolumeclaims" &&
  subresource === undefined &&
  (operation === "CREATE" || operation === "UPDATE");
