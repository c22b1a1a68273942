import type { Filter } from "./filter.ts";

/** As plugin NodeResourcesFit: every shortage is named, not only the first; what an empty node lacks no preemption gives. */
export const nodeResourcesFilter: Filter = {
  name: "NodeResourcesFit",
  wakesOn: ["node", "pod-gone"],
  prepare: ({ requests }) => ({
    refusalOf: ({ allocatable, requested, pods }) => {
      const reasons: string[] = [];
      let helpedBy: "preemption" | "nothing" = "preemption";
      if (pods.size + 1 > (allocatable.get("pods") ?? 0)) reasons.push("Too many pods");
      for (const [name, amount] of requests) {
        if (amount <= 0) continue;
        const all = allocatable.get(name) ?? 0;
        if (amount > all - (requested.get(name) ?? 0)) reasons.push(`Insufficient ${name}`);
        if (amount > all) helpedBy = "nothing";
      }
      return reasons.length > 0 ? { by: "NodeResourcesFit", reasons, helpedBy } : undefined;
    },
  }),
};
