import type { Controller, ControllerContext } from "./controller.ts";
import { DeploymentController } from "./deployment/deployment.ts";
import { GarbageCollector } from "./garbage-collector/garbage-collector.ts";
import { NamespaceController } from "./namespace/namespace.ts";
import { ReplicaSetController } from "./replicaset/replicaset.ts";
import { defaultServiceAccountController, rootCaPublisher } from "./service-account/per-namespace.ts";

export type { Controller, ControllerContext, StoredResource } from "./controller.ts";

/** Every controller of the cluster; upstream runs them as kube-controller-manager. */
export function createControllers(context: ControllerContext): Controller[] {
  return [
    defaultServiceAccountController(context),
    rootCaPublisher(context),
    new NamespaceController(context),
    new ReplicaSetController(context),
    new DeploymentController(context),
    new GarbageCollector(context),
  ];
}
