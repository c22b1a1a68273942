import type { Filter } from "./filter.ts";

/** As plugin NodeResourcesFit: every shortage is named, not only the first. */
export const nodeResourcesFilter: Filter = ({ requests }, { allocatable, requested, pods }) => {
  const reasons: string[] = [];
  if (pods.size + 1 > (allocatable.get("pods") ?? 0)) reasons.push("Too many pods");
  for (const [name, amount] of requests) {
    if (amount <= 0) continue;
    const free = (allocatable.get(name) ?? 0) - (requested.get(name) ?? 0);
    if (amount > free) reasons.push(`Insufficient ${name}`);
  }
  return reasons.length ? reasons : undefined;
};
