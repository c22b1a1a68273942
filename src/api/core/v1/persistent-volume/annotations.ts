/*
 * What those who bind, make and keep volumes tell each other; upstream's names, which provisioners and drivers of
 * others know. Counterpart upstream: `component-helpers/storage/volume`.
 */

/** On a claim: its binding was finished; from here on a missing volume is a loss. */
export const bindCompletedAnnotation = "pv.kubernetes.io/bind-completed";
/** On a volume or a claim: it was the controller that bound it, so the binding may be undone. */
export const boundByControllerAnnotation = "pv.kubernetes.io/bound-by-controller";
/** On a volume: who made it, and has to remove it. */
export const provisionedByAnnotation = "pv.kubernetes.io/provisioned-by";
/** On a claim: who is asked to make its volume; also under its former name. */
export const provisionerAnnotation = "volume.kubernetes.io/storage-provisioner";
export const betaProvisionerAnnotation = "volume.beta.kubernetes.io/storage-provisioner";
/** On a claim: the node that its first pod was placed on. */
export const selectedNodeAnnotation = "volume.kubernetes.io/selected-node";

export const claimProtectionFinalizer = "kubernetes.io/pvc-protection";
export const volumeProtectionFinalizer = "kubernetes.io/pv-protection";
export const attributesClassProtectionFinalizer = "kubernetes.io/vac-protection";
/** On a volume that goes with its claim: its provisioner has to remove what is behind it first. */
export const provisionedFinalizer = "external-provisioner.volume.kubernetes.io/finalizer";
