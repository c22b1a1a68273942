/** Labels of Kubernetes' own that a node may put on itself. */
const kubeletLabels = new Set([
  "kubernetes.io/hostname",
  "kubernetes.io/os",
  "kubernetes.io/arch",
  "beta.kubernetes.io/os",
  "beta.kubernetes.io/arch",
  "node.kubernetes.io/instance-type",
  "beta.kubernetes.io/instance-type",
  "topology.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region",
]);
const kubeletLabelDomains = ["kubelet.kubernetes.io", "node.kubernetes.io"];
const kubernetesDomains = ["kubernetes.io", "k8s.io"];
/** Labels by which an administrator keeps some pods away from a node that might be taken over. */
const restrictedDomain = "node-restriction.kubernetes.io";

type Labels = Record<string, string> | undefined;

/** The labels that differ and that a node may not change on itself, sorted. As upstream's `getForbiddenLabels`. */
export function forbiddenLabels(after: Labels, before: Labels): string[] {
  const keys = new Set([...Object.keys(after ?? {}), ...Object.keys(before ?? {})]);
  return [...keys].filter((key) => after?.[key] !== before?.[key] && isForbidden(key)).sort();
}

function isForbidden(key: string): boolean {
  const slash = key.indexOf("/");
  const domain = slash < 0 ? "" : key.slice(0, slash);
  const within = (parent: string) => domain === parent || domain.endsWith(`.${parent}`);
  if (within(restrictedDomain)) return true;
  return kubernetesDomains.some(within) && !kubeletLabels.has(key) && !kubeletLabelDomains.some(within);
}
