import { type corev1, toleratesTaint } from "../../api/index.ts";

/** How long a pod may stay on a node: not any longer, so many seconds, or as long as it likes. */
export type Stay = { for: "no longer" } | { for: "seconds"; seconds: number } | { for: "ever" };

export const noExecuteTaints = (node: corev1.Node): corev1.Taint[] =>
  (node.spec?.taints ?? []).filter(({ effect }) => effect === "NoExecute");

/**
 * What a pod's tolerations come to with a node's NoExecute taints: the shortest time of those that are used. Pure. As
 * `processPodOnNode`.
 */
export function stayOn(taints: readonly corev1.Taint[], tolerations: readonly corev1.Toleration[]): Stay {
  if (taints.length === 0) return { for: "ever" };
  const used: corev1.Toleration[] = [];
  for (const taint of taints) {
    const matching = tolerations.find((toleration) => toleratesTaint(toleration, taint));
    if (!matching) return { for: "no longer" };
    used.push(matching);
  }
  const limits = used.map(({ tolerationSeconds }) => tolerationSeconds).filter((s) => s !== undefined);
  if (limits.length === 0) return { for: "ever" };
  const seconds = Math.min(...limits);
  return seconds <= 0 ? { for: "no longer" } : { for: "seconds", seconds };
}
