import { claimsOfPod, classOfClaim, type corev1, uniqueVolumeName } from "../../api/index.ts";
import type { NodeInfo, ScheduledPod } from "../node-info.ts";
import type { VolumeView } from "../volumes/volume-view.ts";
import type { Filter } from "./filter.ts";

const name = "NodeVolumeLimits";
const tooMany = "node(s) exceed max volume count";

/** As plugin NodeVolumeLimits: a node has no more volumes of a CSI driver than the driver says that it can have. */
export const nodeVolumeLimitsFilter: Filter = {
  name,
  wakesOn: ["pod-gone", "volume", "node"],
  prepare({ pod }, { volumes }) {
    const wanted = volumesOf(pod, volumes);
    if (wanted.size === 0) return undefined;
    // Pods that come or go in thought, by node.
    const changes = new Map<string, { added: Set<ScheduledPod>; removed: Set<ScheduledPod> }>();
    const changeOf = ({ node }: NodeInfo) => {
      const key = node.metadata.name!;
      const known = changes.get(key) ?? { added: new Set(), removed: new Set() };
      changes.set(key, known);
      return known;
    };
    return {
      refusalOf(info) {
        const nodeName = info.node.metadata.name!;
        const limits = volumes.volumeLimits(nodeName);
        if (limits.size === 0) return undefined;
        const { added, removed } = changes.get(nodeName) ?? { added: [], removed: new Set() };
        const there = [...info.pods.values(), ...added].filter((each) => !removed.has(each));
        return exceeds(wanted, there, limits, nodeName, volumes)
          ? { by: name, reasons: [tooMany], helpedBy: "preemption" }
          : undefined;
      },
      podAdded(other, info) {
        const { added, removed } = changeOf(info);
        if (!removed.delete(other)) added.add(other);
      },
      podRemoved(other, info) {
        const { added, removed } = changeOf(info);
        if (!added.delete(other)) removed.add(other);
      },
    };
  },
};

function exceeds(
  wanted: ReadonlyMap<string, string>,
  there: readonly ScheduledPod[],
  limits: ReadonlyMap<string, number>,
  nodeName: string,
  view: VolumeView,
): boolean {
  const has = new Map<string, string>();
  for (const { pod } of there)
    for (const [unique, driver] of volumesOf(pod, view, limits)) has.set(unique, driver);
  // What is still attached takes room, whoever it was attached for.
  for (const volumeName of view.attachedTo(nodeName)) {
    const csi = view.volume(volumeName)?.spec?.csi;
    if (csi) has.set(uniqueVolumeName(csi.driver, csi.volumeHandle), csi.driver);
  }
  const counts = new Map<string, number>();
  for (const driver of has.values()) counts.set(driver, (counts.get(driver) ?? 0) + 1);
  const comes = new Map<string, number>();
  for (const [unique, driver] of wanted)
    if (!has.has(unique)) comes.set(driver, (comes.get(driver) ?? 0) + 1);
  return [...comes].some(([driver, count]) => {
    const limit = limits.get(driver);
    return limit !== undefined && (counts.get(driver) ?? 0) + count > limit;
  });
}

/** A pod's volumes of CSI drivers: by what is unique of each, its driver. One that is still to be made counts, too. */
function volumesOf(
  pod: corev1.Pod,
  view: VolumeView,
  only?: ReadonlyMap<string, number>,
): Map<string, string> {
  const found = new Map<string, string>();
  for (const { claimName } of claimsOfPod(pod)) {
    const { namespace } = pod.metadata;
    const claim = view.claim(namespace!, claimName);
    if (!claim) continue;
    const csi = claim.spec?.volumeName && view.volume(claim.spec.volumeName)?.spec?.csi;
    const provisioner = view.storageClass(classOfClaim(claim))?.provisioner;
    const driver = csi ? csi.driver : provisioner;
    if (!driver || (only && !only.has(driver))) continue;
    const unique = csi
      ? uniqueVolumeName(csi.driver, csi.volumeHandle)
      : `${provisioner}-${namespace}/${claimName}`;
    // Bound to a volume of another kind: no driver counts it.
    if (csi || !claim.spec?.volumeName) found.set(unique, driver);
  }
  return found;
}
