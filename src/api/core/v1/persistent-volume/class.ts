import type { corev1 } from "../../../types/index.ts";

/** Of before `spec.storageClassName`; it still comes first. */
export const classAnnotation = "volume.beta.kubernetes.io/storage-class";

type Volume = Pick<corev1.PersistentVolume, "metadata" | "spec">;
type Claim = Pick<corev1.PersistentVolumeClaim, "metadata" | "spec">;

/** The name of a volume's class; none is the empty name. */
export const classOfVolume = ({ metadata, spec }: Volume): string =>
  metadata.annotations?.[classAnnotation] ?? spec?.storageClassName ?? "";

/** The name of the class a claim asks for; it is empty where it asks for a volume of no class, or says nothing. */
export const classOfClaim = ({ metadata, spec }: Claim): string =>
  metadata.annotations?.[classAnnotation] ?? spec?.storageClassName ?? "";

/** Whether it says so, be it that it wants none. */
export const claimNamesClass = ({ metadata, spec }: Claim): boolean =>
  metadata.annotations?.[classAnnotation] !== undefined || spec?.storageClassName !== undefined;
