import { builtinRules } from "./builtin-roles.ts";
import { type Authorizer, systemMasters } from "./contract.ts";
import { type IsRelatedToNode, NodeAuthorizer, nodeNameOf } from "./node-authorizer.ts";
import type { RuleSource } from "./rbac.ts";
import { type PolicyRule, ruleAllows } from "./rules.ts";

export interface AuthorizerOptions {
  isRelatedToNode: IsRelatedToNode;
  /** In addition to what is built in: the cluster's RBAC objects. */
  sources?: readonly RuleSource[];
}

const everything: PolicyRule[] = [
  { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
  { verbs: ["*"], nonResourceURLs: ["*"] },
];

/**
 * Who may do what: `system:masters` all, a node what its pods need, everyone else what the rules of some role say. Whoever is not
 * allowed by any is not. `why` holds the reason beyond that, if there is one; the server words the rest.
 *
 * Counterpart upstream: the authorizers `Node` and `RBAC`, in this order.
 */
export function createAuthorizer({ isRelatedToNode, sources = [] }: AuthorizerOptions): Authorizer {
  const nodes = new NodeAuthorizer(isRelatedToNode);
  const all = [builtinRules, ...sources];
  return {
    async authorize(attributes) {
      const { user } = attributes;
      if (user.groups.includes(systemMasters)) return { allowed: true };
      let why: string | undefined;
      const nodeName = nodeNameOf(user);
      if (nodeName !== undefined) {
        const decision = await nodes.authorize(nodeName, attributes);
        if (decision === "allowed") return { allowed: true };
        why = decision.denied || undefined;
      }
      const namespace = "path" in attributes ? undefined : attributes.namespace;
      for (const source of all) {
        for (const rules of source.rulesFor(user, namespace)) {
          if (rules.some((rule) => ruleAllows(rule, attributes))) return { allowed: true };
        }
      }
      return { allowed: false, ...(why && { why }) };
    },
    rulesFor(user, namespace) {
      if (user.groups.includes(systemMasters)) return { rules: everything };
      const rules = all.flatMap((source) => [...source.rulesFor(user, namespace)].flat());
      const incomplete =
        nodeNameOf(user) !== undefined && "node authorizer does not support user rule resolution";
      return { rules, ...(incomplete && { incomplete }) };
    },
  };
}
