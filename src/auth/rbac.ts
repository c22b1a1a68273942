import type { UserInfo } from "./contract.ts";
import type { PolicyRule } from "./rules.ts";

/** Where rules come from: what is built in, or the RBAC objects of the cluster. */
export interface RuleSource {
  /**
   * The rules that hold for the user: those of the whole cluster, and with a namespace those of that namespace too.
   * Must not throw, and is asked for each request that is not plainly allowed: it reads from memory.
   */
  rulesFor(user: UserInfo, namespace: string | undefined): Iterable<readonly PolicyRule[]>;
}

/** `rbac.authorization.k8s.io/v1.Subject`. */
export interface Subject {
  kind: "User" | "Group" | "ServiceAccount";
  name: string;
  /** Of a service account. */
  namespace?: string;
}

export interface Role {
  name: string;
  rules: readonly PolicyRule[];
}

/** A ClusterRoleBinding, or with a namespace a RoleBinding. A role that does not exist grants nothing. */
export interface RoleBinding {
  role: Role | undefined;
  namespace?: string;
  subjects: readonly Subject[];
}

/** The subject's place in an index: a service account is a user with a name of its form. */
function keyOf({ kind, name, namespace }: Subject): string {
  switch (kind) {
    case "User":
      return `user ${name}`;
    case "Group":
      return `group ${name}`;
    case "ServiceAccount":
      return `user system:serviceaccount:${namespace}:${name}`;
  }
}

/**
 * Rules from bindings, found by subject: a request costs a look-up for the user's name and each of its groups, however many bindings
 * there are. Make a new one when the bindings change.
 */
export function rulesFromBindings(bindings: Iterable<RoleBinding>): RuleSource {
  const bySubject = new Map<string, RoleBinding[]>();
  for (const binding of bindings) {
    for (const subject of binding.subjects) {
      const key = keyOf(subject);
      const known = bySubject.get(key);
      if (known) known.push(binding);
      else bySubject.set(key, [binding]);
    }
  }
  return {
    *rulesFor(user, namespace) {
      yield* rulesOf(bySubject.get(`user ${user.name}`), namespace);
      for (const group of user.groups) yield* rulesOf(bySubject.get(`group ${group}`), namespace);
    },
  };
}

function* rulesOf(bindings: readonly RoleBinding[] | undefined, namespace: string | undefined) {
  for (const binding of bindings ?? []) {
    if (!binding.role) continue;
    if (binding.namespace === undefined || binding.namespace === namespace) yield binding.role.rules;
  }
}
