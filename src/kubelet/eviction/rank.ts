import { type corev1, podRequestAmounts } from "../../api/index.ts";
import type { EvictionSignal } from "../config/thresholds.ts";
import { resourceOf } from "./signals.ts";
import type { DiskLayout, DiskUse, PodUse, PodUses } from "./usage.ts";

type Compare = (a: corev1.Pod, b: corev1.Pod) => number;

/** Which of a pod's files count. */
type Part = "root" | "logs" | "volumes";

const requestOf = (pod: corev1.Pod, name: string): number => podRequestAmounts(pod.spec!)[name]?.value() ?? 0;

/** Pods in the order in which they are given up for what `signal` says is short. As upstream's rank functions. */
export function ranked(
  pods: readonly corev1.Pod[],
  uses: PodUses,
  signal: EvictionSignal,
  disks: DiskLayout,
): corev1.Pod[] {
  return [...pods].sort(inOrder(...comparisons(uses, signal, disks)));
}

function comparisons(uses: PodUses, signal: EvictionSignal, disks: DiskLayout): Compare[] {
  const resource = resourceOf(signal);
  const memoryOf = (use: PodUse) => use.memoryBytes ?? 0;
  switch (resource) {
    case "memory":
      return [
        exceeding(uses, (pod, use) => memoryOf(use) > requestOf(pod, "memory")),
        byPriority,
        byMost(uses, (pod, use) => memoryOf(use) - requestOf(pod, "memory")),
      ];
    case "pids":
      return [byPriority, byMost(uses, (_, use) => use.processes ?? 0)];
    case "ephemeral-storage":
    case "inodes": {
      const parts = partsOf(signal, disks);
      const usedOf = (pod: corev1.Pod, use: PodUse) => {
        const used = diskUseOf(pod, use, parts);
        return resource === "inodes" ? used.inodes : used.bytes;
      };
      return [
        // Nobody requests inodes: who has any exceeds its request.
        exceeding(uses, (pod, use) => usedOf(pod, use) > requestOf(pod, resource)),
        byPriority,
        byMost(uses, (pod, use) => usedOf(pod, use) - requestOf(pod, "ephemeral-storage")),
      ];
    }
  }
}

/** On a file system of their own images and writable layers are one matter, and logs and volumes another. */
function partsOf(signal: EvictionSignal, { imageFs }: DiskLayout): readonly Part[] {
  if (imageFs === "shared") return ["root", "logs", "volumes"];
  return signal.startsWith("nodefs.") ? ["logs", "volumes"] : ["root"];
}

/** What a pod has on the disks that count. */
export function diskUseOf(_pod: corev1.Pod, use: PodUse, parts: readonly Part[]): DiskUse {
  const total = { bytes: 0, inodes: 0 };
  const add = (part: DiskUse | undefined) => {
    total.bytes += part?.bytes ?? 0;
    total.inodes += part?.inodes ?? 0;
  };
  for (const container of use.containers.values()) {
    if (parts.includes("root")) add(container.root);
    if (parts.includes("logs")) add(container.logs);
  }
  if (parts.includes("volumes")) for (const volume of use.volumes.values()) add(volume);
  return total;
}

const inOrder =
  (...compares: Compare[]): Compare =>
  (a, b) => {
    for (const compare of compares) {
      const order = compare(a, b);
      if (order !== 0) return order;
    }
    return 0;
  };

const byPriority: Compare = (a, b) => (a.spec!.priority ?? 0) - (b.spec!.priority ?? 0);

/** Pods of which nothing is known come first. */
const unknownFirst = (a: PodUse | undefined, b: PodUse | undefined) =>
  Number(a !== undefined) - Number(b !== undefined);

function exceeding(uses: PodUses, exceeds: (pod: corev1.Pod, use: PodUse) => boolean): Compare {
  return (a, b) => {
    const [useA, useB] = [uses.get(a.metadata.uid!), uses.get(b.metadata.uid!)];
    if (!useA || !useB) return unknownFirst(useA, useB);
    return Number(exceeds(b, useB)) - Number(exceeds(a, useA));
  };
}

function byMost(uses: PodUses, amount: (pod: corev1.Pod, use: PodUse) => number): Compare {
  return (a, b) => {
    const [useA, useB] = [uses.get(a.metadata.uid!), uses.get(b.metadata.uid!)];
    if (!useA || !useB) return unknownFirst(useA, useB);
    return amount(b, useB) - amount(a, useA);
  };
}
