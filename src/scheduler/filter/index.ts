import type { Filter } from "./filter.ts";
import { nodeAffinityFilter } from "./node-affinity.ts";
import { nodeNameFilter } from "./node-name.ts";
import { nodePortsFilter } from "./node-ports.ts";
import { nodeResourcesFilter } from "./node-resources.ts";
import { nodeUnschedulableFilter } from "./node-unschedulable.ts";
import { taintTolerationFilter } from "./taint-toleration.ts";

export type { Filter, PendingPod } from "./filter.ts";

/** In upstream's order: the first that refuses a node is the one that is named. */
export const filters: readonly Filter[] = [
  nodeUnschedulableFilter,
  nodeNameFilter,
  taintTolerationFilter,
  nodeAffinityFilter,
  nodePortsFilter,
  nodeResourcesFilter,
];
