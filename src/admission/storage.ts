import {
  attributesClassProtectionFinalizer,
  claimNamesClass,
  claimProtectionFinalizer,
  classOfClaim,
  type corev1,
  defaultClassOf,
  type storagev1,
  volumeProtectionFinalizer,
} from "../api/index.ts";
import { parseQuantity } from "../machinery/index.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./contract.ts";
import { isCore, type Lookup, refusal } from "./refuse.ts";

export interface StorageClasses {
  get(name: string): Lookup<storagev1.StorageClass>;
  all(): Lookup<readonly storagev1.StorageClass[]>;
}

/** Gives a claim that names no class the default one. As `plugin/pkg/admission/storage/storageclass/setdefault`. */
export function defaultStorageClass(classes: StorageClasses): AdmissionPlugin {
  return {
    name: "DefaultStorageClass",
    wants: (request) => request.operation === "CREATE" && isCore(request, "persistentvolumeclaims"),
    async mutate(request) {
      const claim = request.object as corev1.PersistentVolumeClaim;
      if (claimNamesClass(claim)) return;
      const found = defaultClassOf((await classes.all()) ?? []);
      if (found) claim.spec = { ...claim.spec, storageClassName: found.metadata.name };
    },
  };
}

/** A claim grows only where its class lets it. As `plugin/pkg/admission/storage/persistentvolume/resize`. */
export function claimResize(classes: StorageClasses): AdmissionPlugin {
  return {
    name: "PersistentVolumeClaimResize",
    wants: (request) => request.operation === "UPDATE" && isCore(request, "persistentvolumeclaims"),
    async validate(request) {
      const claim = request.object as corev1.PersistentVolumeClaim;
      const old = request.old as corev1.PersistentVolumeClaim;
      if (requestOf(claim).compare(requestOf(old)) <= 0) return;
      if (old.status?.phase !== "Bound")
        throw refusal(request, "Only bound persistent volume claims can be expanded");
      const name = classOfClaim(claim);
      const found = name === "" || name !== classOfClaim(old) ? undefined : await classes.get(name);
      if (!found?.allowVolumeExpansion)
        throw refusal(
          request,
          "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize",
        );
    },
  };
}

const requestOf = ({ spec }: corev1.PersistentVolumeClaim) =>
  parseQuantity(spec?.resources?.requests?.storage ?? "0");

/** What holds each of them as long as it is used; controllers take it away. */
const finalizers: Readonly<Record<string, string>> = {
  "/persistentvolumes": volumeProtectionFinalizer,
  "/persistentvolumeclaims": claimProtectionFinalizer,
  "storage.k8s.io/volumeattributesclasses": attributesClassProtectionFinalizer,
};

const finalizerFor = ({ resource, subresource }: AdmissionRequest) =>
  subresource === undefined ? finalizers[`${resource.group}/${resource.resource}`] : undefined;

/** As `plugin/pkg/admission/storage/storageobjectinuseprotection`. */
export const storageInUseProtection: AdmissionPlugin = {
  name: "StorageObjectInUseProtection",
  wants: (request) => request.operation === "CREATE" && finalizerFor(request) !== undefined,
  mutate(request) {
    const { metadata } = request.object!;
    const finalizer = finalizerFor(request)!;
    if (metadata.finalizers?.includes(finalizer)) return;
    request.object!.metadata = { ...metadata, finalizers: [...(metadata.finalizers ?? []), finalizer] };
  },
};
