import { selectorOf } from "../../../../machinery/index.ts";
import type { corev1 } from "../../../types/index.ts";
import { quantityOf } from "../../../validation/quantities.ts";
import { matchesNodeTerm } from "../node/node-selector.ts";
import { boundByControllerAnnotation } from "./annotations.ts";
import { classOfClaim, classOfVolume } from "./class.ts";

/*
 * Which volume a claim may have. Counterpart upstream: `component-helpers/storage/volume`; the binder and the scheduler
 * decide alike.
 */

type Volume = corev1.PersistentVolume;
type Claim = corev1.PersistentVolumeClaim;

/** Whether the volume is the claim's, or kept for one of its name. */
export function isBoundTo({ spec }: Volume, { metadata }: Claim): boolean {
  const ref = spec?.claimRef;
  if (!ref || ref.name !== metadata.name || ref.namespace !== metadata.namespace) return false;
  return !ref.uid || ref.uid === metadata.uid;
}

/** Whether the node can reach the volume. */
export function isReachableFrom({ spec }: Volume, node: corev1.Node): boolean {
  const required = spec?.nodeAffinity?.required;
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesNodeTerm(term, node));
}

const modeOf = ({ spec }: Volume | Claim) => spec?.volumeMode ?? "Filesystem";

export const haveSameMode = (claim: Claim, volume: Volume): boolean => modeOf(claim) === modeOf(volume);

const attributesClassOf = ({ spec }: Volume | Claim) => spec?.volumeAttributesClassName ?? "";

const sizeOf = ({ spec }: Volume) => quantityOf(spec?.capacity?.storage ?? "0");
const requestOf = ({ spec }: Claim) => quantityOf(spec?.resources?.requests?.storage ?? "0");

const allowsModes = (volume: Volume, claim: Claim): boolean =>
  (claim.spec?.accessModes ?? []).every((mode) => volume.spec?.accessModes?.includes(mode));

/** Why a claim cannot have the volume it names; undefined when it can. */
export function volumeMismatch(volume: Volume, claim: Claim): string | undefined {
  if (volume.metadata.deletionTimestamp) return `the volume is marked for deletion "${volume.metadata.name}"`;
  if (sizeOf(volume).compare(requestOf(claim)) < 0) return "requested PV is too small";
  if (classOfVolume(volume) !== classOfClaim(claim)) return "storageClassName does not match";
  if (attributesClassOf(volume) !== attributesClassOf(claim))
    return "volumeAttributesClassName does not match";
  if (!haveSameMode(claim, volume)) return "incompatible volumeMode";
  if (!allowsModes(volume, claim)) return "incompatible accessMode";
  return undefined;
}

export interface MatchOptions {
  /** The node that has to reach the volume. */
  node?: corev1.Node;
  /** Names of volumes that others get. */
  excluded?: ReadonlySet<string>;
  /** Only one that is kept for the claim: the others are for the scheduler to choose from. */
  only?: "kept";
}

/** The volume that is kept for the claim; else the one with the fewest modes, and of those the smallest, that fits. */
export function findMatchingVolume(
  claim: Claim,
  volumes: Iterable<Volume>,
  { node, excluded, only }: MatchOptions = {},
): Volume | undefined {
  const selector = claim.spec?.selector ? selectorOf(claim.spec.selector) : undefined;
  let best: Volume | undefined;
  for (const volume of volumes) {
    if (excluded?.has(volume.metadata.name!)) continue;
    if (volume.spec?.claimRef && !isBoundTo(volume, claim)) continue;
    if (sizeOf(volume).compare(requestOf(claim)) < 0 || !haveSameMode(claim, volume)) continue;
    if (attributesClassOf(volume) !== attributesClassOf(claim)) continue;
    if (volume.metadata.deletionTimestamp || !allowsModes(volume, claim)) continue;
    const isReachable = node === undefined || isReachableFrom(volume, node);
    // A volume that is kept for the claim is the only one it may have.
    if (isBoundTo(volume, claim)) return isReachable ? volume : undefined;
    if (only === "kept" || volume.status?.phase !== "Available" || !isReachable) continue;
    if (selector && !selector.matches(volume.metadata.labels)) continue;
    if (classOfVolume(volume) !== classOfClaim(claim)) continue;
    if (!best || isBetter(volume, best)) best = volume;
  }
  return best;
}

function isBetter(volume: Volume, than: Volume): boolean {
  const modes = (volume.spec?.accessModes?.length ?? 0) - (than.spec?.accessModes?.length ?? 0);
  return modes !== 0 ? modes < 0 : sizeOf(volume).compare(sizeOf(than)) < 0;
}

/** The volume as the claim's; the same object if it is already. */
export function boundVolume(volume: Volume, claim: Claim): Volume {
  const { name, namespace, resourceVersion, uid } = claim.metadata;
  const ref = volume.spec?.claimRef;
  const isKept = isBoundTo(volume, claim);
  if (isKept && ref!.uid === uid) return volume;
  return {
    ...volume,
    metadata: isKept
      ? volume.metadata
      : {
          ...volume.metadata,
          annotations: { ...volume.metadata.annotations, [boundByControllerAnnotation]: "yes" },
        },
    spec: {
      ...volume.spec,
      claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", name, namespace, uid, resourceVersion },
    },
  };
}
