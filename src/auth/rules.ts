import type { Attributes } from "./contract.ts";

/** `rbac.authorization.k8s.io/v1.PolicyRule`. */
export interface PolicyRule {
  verbs: readonly string[];
  /** `""` the core group, `*` all. */
  apiGroups?: readonly string[];
  /** `pods`, `pods/log`, `*`, or `*` with a subresource, as in a scale of whatever. */
  resources?: readonly string[];
  /** Only these objects; none: all. */
  resourceNames?: readonly string[];
  /** `/healthz`, `/apis/*`, `*`. */
  nonResourceURLs?: readonly string[];
}

/** Whether the rule allows the request. As upstream's `rbac.RuleAllows`. */
export function ruleAllows(rule: PolicyRule, attributes: Attributes): boolean {
  if (!includes(rule.verbs, attributes.verb)) return false;
  if ("path" in attributes)
    return rule.nonResourceURLs?.some((url) => urlMatches(url, attributes.path)) ?? false;
  const { group, resource, subresource, name } = attributes;
  return (
    includes(rule.apiGroups, group) &&
    resourceMatches(rule.resources, resource, subresource) &&
    (!rule.resourceNames?.length || (name !== undefined && rule.resourceNames.includes(name)))
  );
}

const includes = (values: readonly string[] | undefined, value: string): boolean =>
  values !== undefined && (values.includes(value) || values.includes("*"));

/** A rule for `pods` does not cover `pods/log`. */
function resourceMatches(
  resources: readonly string[] | undefined,
  resource: string,
  subresource?: string,
): boolean {
  if (!resources) return false;
  const whole = subresource ? `${resource}/${subresource}` : resource;
  if (includes(resources, whole)) return true;
  return subresource !== undefined && resources.includes(`*/${subresource}`);
}

function urlMatches(url: string, path: string): boolean {
  if (url === "*" || url === path) return true;
  return url.endsWith("*") && path.startsWith(url.replace(/\*+$/, ""));
}
