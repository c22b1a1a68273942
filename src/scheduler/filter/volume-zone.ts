import { claimsOfPod, type corev1 } from "../../api/index.ts";
import type { Filter } from "./filter.ts";

const name = "VolumeZone";
const elsewhere = "node(s) had no available volume zone";

/** Labels of volumes that say where they are, under the names of now and of before. */
const zoneKeys = [
  "topology.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region",
];
/** Between the zones of a volume that is in several. */
const separator = "__";

/** As plugin VolumeZone: a volume that is labelled with a zone is used by nodes of that zone, where nodes have any. */
export const volumeZoneFilter: Filter = {
  name,
  wakesOn: ["volume", "node"],
  prepare({ pod }, { volumes }) {
    const places = claimsOfPod(pod).flatMap(({ claimName }) => {
      const volumeName = volumes.claim(pod.metadata.namespace!, claimName)?.spec?.volumeName;
      const labels = (volumeName && volumes.volume(volumeName)?.metadata.labels) || {};
      return zoneKeys
        .filter((key) => labels[key] !== undefined)
        .map((key) => ({ key, zones: labels[key]!.split(separator) }));
    });
    if (places.length === 0) return undefined;
    return {
      refusalOf({ node }) {
        const labels = node.metadata.labels ?? {};
        if (zoneKeys.every((key) => labels[key] === undefined)) return undefined;
        const isThere = places.every(({ key, zones }) => zones.includes(labelOf(labels, key) ?? ""));
        return isThere ? undefined : { by: name, reasons: [elsewhere], helpedBy: "nothing" };
      },
    };
  },
};

/** A node may say the same under the key's other name. */
function labelOf(labels: NonNullable<corev1.Node["metadata"]["labels"]>, key: string): string | undefined {
  const part = key.slice(key.indexOf("/"));
  return (
    labels[key] ??
    labels[`topology.kubernetes.io${part}`] ??
    labels[`failure-domain.beta.kubernetes.io${part}`]
  );
}
