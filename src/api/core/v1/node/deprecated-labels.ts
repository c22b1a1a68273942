import type { corev1 } from "../../../types/index.ts";

const deprecated: ReadonlyMap<string, string> = new Map([
  ["beta.kubernetes.io/arch", 'deprecated since v1.14; use "kubernetes.io/arch" instead'],
  ["beta.kubernetes.io/os", 'deprecated since v1.14; use "kubernetes.io/os" instead'],
  [
    "failure-domain.beta.kubernetes.io/region",
    'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  ],
  [
    "failure-domain.beta.kubernetes.io/zone",
    'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  ],
  [
    "beta.kubernetes.io/instance-type",
    'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
  ],
  ["app.kubernetes.io/created-by", "deprecated since v1.9"],
  [
    "scheduler.alpha.kubernetes.io/preferAvoidPods",
    "deprecated since v1.22; use Taints and Tolerations instead",
  ],
  ["node-role.kubernetes.io/master", 'use "node-role.kubernetes.io/control-plane" instead'],
]);

/** What to say to someone who selects nodes by a label that is on its way out. */
export const deprecatedNodeLabel = (key: string): string | undefined => deprecated.get(key);

export function termWarnings({ matchExpressions = [] }: corev1.NodeSelectorTerm, path: string): string[] {
  return matchExpressions.flatMap(({ key }, i) => {
    const message = deprecatedNodeLabel(key);
    return message ? [`${path}.matchExpressions[${i}].key: ${key} is ${message}`] : [];
  });
}
