import {
  attributesClassProtectionFinalizer,
  claimProtectionFinalizer,
  claimsOfPod,
  type corev1,
  notMadeForPod,
  type storagev1,
  volumeProtectionFinalizer,
} from "../../api/index.ts";
import {
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  volumeAttributesClasses,
} from "../../client/index.ts";
import { keyOf } from "../../machinery/index.ts";
import type { Controller, ControllerContext } from "../controller.ts";
import { ProtectionController } from "./protection.ts";

type Claim = corev1.PersistentVolumeClaim;
type Volume = corev1.PersistentVolume;

/** A claim stays while a pod that was given to a node has it: its data may be in use until the pod is gone. */
export function claimProtection(context: ControllerContext): Controller {
  const podInformer = context.informers.informer<corev1.Pod>(pods, {
    indexers: { claim: (pod) => claimsOfPod(pod).map(({ claimName }) => keyInNamespaceOf(pod, claimName)) },
  });
  return new ProtectionController<Claim>(context, {
    name: "persistentvolumeclaim-protection-controller",
    resource: persistentVolumeClaims,
    finalizer: claimProtectionFinalizer,
    async isUsed(claim) {
      if (podInformer.byIndex("claim", keyOf(claim)).some((pod) => usesClaim(pod, claim))) return true;
      // The cache may not know a pod that a node runs already.
      const { namespace } = claim.metadata;
      const live = await context.client.resource<corev1.Pod>(pods).list({ namespace });
      return live.items.some((pod) => usesClaim(pod, claim));
    },
    watch(mayBeFree, signal) {
      const each = (pod: corev1.Pod) => {
        for (const { claimName } of claimsOfPod(pod)) mayBeFree(keyInNamespaceOf(pod, claimName));
      };
      const stop = podInformer.addHandler({
        updated: (_, pod) => {
          if (pod.metadata.deletionTimestamp) each(pod);
        },
        deleted: each,
      });
      signal.addEventListener("abort", stop);
    },
  });
}

const keyInNamespaceOf = ({ metadata }: corev1.Pod, name: string) => `${metadata.namespace}/${name}`;

/** A pod that no node has yet does not count: none takes one whose claim is being deleted. */
export function usesClaim(pod: corev1.Pod, claim: Claim): boolean {
  if (!pod.spec?.nodeName) return false;
  return claimsOfPod(pod).some(({ claimName, isEphemeral }) => {
    if (claimName !== claim.metadata.name) return false;
    return !isEphemeral || (!isShutDown(pod) && notMadeForPod(pod, claim) === undefined);
  });
}

/** The node is done with it, or it was deleted by force. */
const isShutDown = ({ metadata }: corev1.Pod) =>
  metadata.deletionTimestamp !== undefined && metadata.deletionGracePeriodSeconds === 0;

/** A volume stays while a claim has it. */
export function volumeProtection(context: ControllerContext): Controller {
  return new ProtectionController<Volume>(context, {
    name: "persistentvolume-protection-controller",
    resource: persistentVolumes,
    finalizer: volumeProtectionFinalizer,
    isUsed: ({ status }) => status?.phase === "Bound",
    // Its own changes say it.
    watch() {},
  });
}

/** A class of attributes stays while a claim or a volume has it. */
export function attributesClassProtection(context: ControllerContext): Controller {
  const claims = context.informers.informer<Claim>(persistentVolumeClaims, {
    indexers: { attributesClass: classesOfClaim },
  });
  const volumes = context.informers.informer<Volume>(persistentVolumes, {
    indexers: { attributesClass: classesOfVolume },
  });
  return new ProtectionController<storagev1.VolumeAttributesClass>(context, {
    name: "volumeattributesclass-protection-controller",
    resource: volumeAttributesClasses,
    finalizer: attributesClassProtectionFinalizer,
    async isUsed({ metadata }) {
      const name = metadata.name!;
      if ([claims, volumes].some((cache) => cache.byIndex("attributesClass", name).length > 0)) return true;
      const { client } = context;
      const live = await client.resource<Claim>(persistentVolumeClaims).list();
      if (live.items.some((claim) => classesOfClaim(claim).includes(name))) return true;
      const liveVolumes = await client.resource<Volume>(persistentVolumes).list();
      return liveVolumes.items.some((volume) => classesOfVolume(volume).includes(name));
    },
    watch(mayBeFree, signal) {
      const each = (names: readonly string[]) => {
        for (const name of names) mayBeFree(name);
      };
      const stops = [
        claims.addHandler({
          updated: (before) => each(classesOfClaim(before)),
          deleted: (claim) => each(classesOfClaim(claim)),
        }),
        volumes.addHandler({
          updated: (before) => each(classesOfVolume(before)),
          deleted: (volume) => each(classesOfVolume(volume)),
        }),
      ];
      signal.addEventListener("abort", () => {
        for (const stop of stops) stop();
      });
    },
  });
}

/** What it has, what it asks for and what it is being changed to. */
const classesOfClaim = ({ spec, status }: Claim): string[] => [
  ...new Set(
    [
      spec?.volumeAttributesClassName,
      status?.currentVolumeAttributesClassName,
      status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
    ].filter((name): name is string => name !== undefined && name !== ""),
  ),
];
const classesOfVolume = ({ spec }: Volume): string[] =>
  spec?.volumeAttributesClassName ? [spec.volumeAttributesClassName] : [];
