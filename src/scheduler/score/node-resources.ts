import type { NodeInfo } from "../node-info.ts";
import { type Scorer, scoreMax } from "./scorer.ts";

const resources = ["cpu", "memory"] as const;

/** As NodeResourcesFit with LeastAllocated: the emptier the better. */
export const leastAllocated: Scorer = {
  name: "NodeResourcesFit",
  weight: 1,
  scores: ({ assumed }, _view, nodes) =>
    nodes.map((node) => {
      let sum = 0;
      let count = 0;
      for (const name of resources) {
        const all = node.allocatable.get(name) ?? 0;
        if (all === 0) continue;
        const left = all - node.assumed[name] - assumed[name];
        sum += left < 0 ? 0 : Math.floor((left * scoreMax) / all);
        count++;
      }
      return count === 0 ? 0 : Math.floor(sum / count);
    }),
};

/** As NodeResourcesBalancedAllocation: better where processor and memory come to be used alike. */
export const balancedAllocation: Scorer = {
  name: "NodeResourcesBalancedAllocation",
  weight: 1,
  scores: ({ requests }, _view, nodes) => {
    const cpu = requests.get("cpu") ?? 0;
    const memory = requests.get("memory") ?? 0;
    // A pod that asks for nothing would always go where balance is best, and so would its equals.
    if (cpu === 0 && memory === 0) return undefined;
    return nodes.map((node) => {
      const difference = balanceOf(node, cpu, memory) - balanceOf(node, 0, 0);
      return scoreMax / 2 + Math.trunc((scoreMax / 2 + difference) / 2);
    });
  },
};

/** 100 when equal parts of both are used, 50 when all of one and nothing of the other. */
function balanceOf({ allocatable, requested }: NodeInfo, moreCpu: number, moreMemory: number): number {
  const allCpu = allocatable.get("cpu") ?? 0;
  const allMemory = allocatable.get("memory") ?? 0;
  // Of one alone there is no balance to lose.
  if (allCpu === 0 || allMemory === 0) return scoreMax;
  const cpu = Math.min(1, ((requested.get("cpu") ?? 0) + moreCpu) / allCpu);
  const memory = Math.min(1, ((requested.get("memory") ?? 0) + moreMemory) / allMemory);
  return Math.floor((1 - Math.abs(cpu - memory) / 2) * scoreMax);
}
