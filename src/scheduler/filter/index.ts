import type { Filter } from "./filter.ts";
import { interPodAffinityFilter } from "./inter-pod-affinity.ts";
import { namedNodesFilter, nodeAffinityFilter } from "./node-affinity.ts";
import { nodeNameFilter } from "./node-name.ts";
import { nodePortsFilter } from "./node-ports.ts";
import { nodeResourcesFilter } from "./node-resources.ts";
import { nodeUnschedulableFilter } from "./node-unschedulable.ts";
import { nodeVolumeLimitsFilter } from "./node-volume-limits.ts";
import { podTopologySpreadFilter } from "./pod-topology-spread.ts";
import { taintTolerationFilter } from "./taint-toleration.ts";
import { volumeBindingFilter } from "./volume-binding.ts";
import { volumeRestrictionsFilter } from "./volume-restrictions.ts";
import { volumeZoneFilter } from "./volume-zone.ts";

export type { Check, ClusterChange, Filter, PendingPod, Refusal } from "./filter.ts";

/** In upstream's order: the first that refuses a node is the one that is named. */
export const filters: readonly Filter[] = [
  namedNodesFilter,
  nodeUnschedulableFilter,
  nodeNameFilter,
  taintTolerationFilter,
  nodeAffinityFilter,
  nodePortsFilter,
  nodeResourcesFilter,
  volumeRestrictionsFilter,
  nodeVolumeLimitsFilter,
  volumeBindingFilter,
  volumeZoneFilter,
  podTopologySpreadFilter,
  interPodAffinityFilter,
];
