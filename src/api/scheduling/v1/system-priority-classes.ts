/** As upstream's `HighestUserDefinablePriority`; what lies above is for the system's own. */
export const userPriorityMax = 1_000_000_000;

/** The classes of what a cluster can't run without; every cluster has them from the start. */
export const systemPriorityClasses = [
  {
    name: "system-node-critical",
    value: 2_000_001_000,
    description: "For pods of the system that must stay on the node they are on.",
  },
  {
    name: "system-cluster-critical",
    value: 2_000_000_000,
    description:
      "For pods of the system that must run in the cluster, and may move to another node for that.",
  },
] as const;
