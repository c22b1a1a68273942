import { claimsOfPod, type corev1 } from "../../api/index.ts";
import type { ScheduledPod } from "../node-info.ts";
import type { Filter } from "./filter.ts";

const name = "VolumeRestrictions";
const taken =
  "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod";

/** As plugin VolumeRestrictions: a claim that is for one pod is used by one pod, on whatever node that is. */
export const volumeRestrictionsFilter: Filter = {
  name,
  wakesOn: ["pod-gone", "volume"],
  prepare({ pod }, { nodes, volumes }) {
    const { namespace } = pod.metadata;
    const own = namesOf(pod).filter((claim) =>
      volumes.claim(namespace!, claim)?.spec?.accessModes?.includes("ReadWriteOncePod"),
    );
    if (own.length === 0) return undefined;
    const uses = (other: ScheduledPod) =>
      other.namespace === namespace ? namesOf(other.pod).filter((claim) => own.includes(claim)).length : 0;
    let conflicts = 0;
    for (const { pods } of nodes) for (const other of pods.values()) conflicts += uses(other);
    return {
      refusalOf: () => (conflicts > 0 ? { by: name, reasons: [taken], helpedBy: "preemption" } : undefined),
      podAdded(other) {
        conflicts += uses(other);
      },
      podRemoved(other) {
        conflicts -= uses(other);
      },
    };
  },
};

/** A generic ephemeral volume's claim is its pod's alone by itself. */
const namesOf = (pod: corev1.Pod) =>
  claimsOfPod(pod)
    .filter(({ isEphemeral }) => !isEphemeral)
    .map(({ claimName }) => claimName);
