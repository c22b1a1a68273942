import { claimsOfPod } from "../../api/index.ts";
import { planVolumes } from "../volumes/plan-volumes.ts";
import { claimsToPlace } from "../volumes/pod-claims.ts";
import type { Filter } from "./filter.ts";

const name = "VolumeBinding";

/** As plugin VolumeBinding: every claim of the pod has a volume that the node reaches, or can get one. */
export const volumeBindingFilter: Filter = {
  name,
  wakesOn: ["volume", "node"],
  prepare({ pod }, { volumes }) {
    if (claimsOfPod(pod).length === 0) return undefined;
    const claims = claimsToPlace(pod, volumes);
    if ("missing" in claims)
      return { refusesAll: { by: name, reasons: [claims.missing], helpedBy: "nothing" } };
    return {
      refusalOf({ node }) {
        const plan = planVolumes(claims, node, volumes);
        return "reasons" in plan ? { by: name, reasons: plan.reasons, helpedBy: "nothing" } : undefined;
      },
    };
  },
};
