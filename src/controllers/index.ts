import { AttachDetachController } from "./attach-detach/attach-detach.ts";
import type { Controller, ControllerContext } from "./controller.ts";
import { DeploymentController } from "./deployment/deployment.ts";
import { DisruptionController } from "./disruption/disruption.ts";
import { StaleDisruptions } from "./disruption/stale-disruptions.ts";
import { EphemeralVolumeController } from "./ephemeral-volume/ephemeral-volume.ts";
import { GarbageCollector } from "./garbage-collector/garbage-collector.ts";
import { NamespaceController } from "./namespace/namespace.ts";
import { NodeLifecycle } from "./node-lifecycle/node-lifecycle.ts";
import { VolumeBinder } from "./persistent-volume/binder.ts";
import { PodGc } from "./pod-gc/pod-gc.ts";
import { ReplicaSetController, replicationControllerSets } from "./replicaset/replicaset.ts";
import { ResourceQuotaController } from "./resource-quota/resource-quota.ts";
import { defaultServiceAccountController, rootCaPublisher } from "./service-account/per-namespace.ts";
import { TaintEviction } from "./taint-eviction/taint-eviction.ts";
import { VolumeExpandController } from "./volume-expand/volume-expand.ts";
import {
  attributesClassProtection,
  claimProtection,
  volumeProtection,
} from "./volume-protection/protections.ts";

export type { Controller, ControllerContext, StoredResource } from "./controller.ts";

/** Every controller of the cluster; upstream runs them as kube-controller-manager. */
export function createControllers(context: ControllerContext): Controller[] {
  return [
    defaultServiceAccountController(context),
    rootCaPublisher(context),
    new NamespaceController(context),
    new ReplicaSetController(context),
    new ReplicaSetController(context, replicationControllerSets),
    new DeploymentController(context),
    new NodeLifecycle(context),
    new TaintEviction(context),
    new PodGc(context),
    new DisruptionController(context),
    new ResourceQuotaController(context),
    new StaleDisruptions(context),
    new VolumeBinder(context),
    claimProtection(context),
    volumeProtection(context),
    attributesClassProtection(context),
    new EphemeralVolumeController(context),
    new VolumeExpandController(context),
    new AttachDetachController(context),
    new GarbageCollector(context),
  ];
}
