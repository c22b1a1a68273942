import { deployment } from "./apps/v1/deployment.ts";
import { replicaSet } from "./apps/v1/replica-set.ts";
import { lease } from "./coordination/v1/lease.ts";
import { configMap } from "./core/v1/config-map.ts";
import { event } from "./core/v1/event.ts";
import { limitRange } from "./core/v1/limit-range.ts";
import { namespace } from "./core/v1/namespace.ts";
import { node } from "./core/v1/node/kind.ts";
import { persistentVolume } from "./core/v1/persistent-volume/kind.ts";
import { persistentVolumeClaim } from "./core/v1/persistent-volume-claim/kind.ts";
import { pod } from "./core/v1/pod/kind.ts";
import { podTemplate } from "./core/v1/pod-template.ts";
import { replicationController } from "./core/v1/replication-controller.ts";
import { resourceQuota } from "./core/v1/resource-quota.ts";
import { secret } from "./core/v1/secret.ts";
import { serviceAccount } from "./core/v1/service-account.ts";
import { eventsEvent } from "./events/v1/event.ts";
import type { Kind } from "./kind.ts";
import { runtimeClass } from "./node/v1/runtime-class.ts";
import { podDisruptionBudget } from "./policy/v1/pod-disruption-budget.ts";
import { priorityClass } from "./scheduling/v1/priority-class.ts";
import { csiDriver } from "./storage/v1/csi-driver.ts";
import { csiNode } from "./storage/v1/csi-node.ts";
import { csiStorageCapacity } from "./storage/v1/csi-storage-capacity.ts";
import { storageClass } from "./storage/v1/storage-class.ts";
import { volumeAttachment } from "./storage/v1/volume-attachment.ts";
import { volumeAttributesClass } from "./storage/v1/volume-attributes-class.ts";

/** The kinds the API server serves by itself. To add one: a file beside these, and a line here. */
export const builtinKinds: readonly Kind[] = [
  configMap,
  event,
  limitRange,
  namespace,
  node,
  persistentVolume,
  persistentVolumeClaim,
  pod,
  podTemplate,
  replicationController,
  resourceQuota,
  secret,
  serviceAccount,
  deployment,
  replicaSet,
  eventsEvent,
  lease,
  podDisruptionBudget,
  priorityClass,
  storageClass,
  volumeAttributesClass,
  csiDriver,
  csiNode,
  csiStorageCapacity,
  volumeAttachment,
  runtimeClass,
];
