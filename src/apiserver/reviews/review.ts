import type { Attributes, Authorizer, TokenAuthenticator, UserInfo } from "../../auth/index.ts";
import type { KubeObject } from "../../machinery/index.ts";

/**
 * A resource that can only be created, and is never stored: the answer is the request with its status filled in.
 * Counterpart upstream: `pkg/registry/authentication` and `pkg/registry/authorization`.
 */
export interface ReviewResource {
  group: string;
  version: string;
  /** Plural, lower case. */
  resource: string;
  singular: string;
  kind: string;
  namespaced: boolean;
  review(body: KubeObject, context: ReviewContext): Promise<KubeObject>;
}

export interface ReviewContext {
  user: UserInfo;
  /** Of the path, for the namespaced ones. */
  namespace: string | undefined;
  authorizer: Authorizer;
  authenticator: TokenAuthenticator;
  now: string;
}

/** `spec.user`, `groups`, `uid`, `extra` of a SubjectAccessReview. */
export function subjectOf(spec: any): UserInfo {
  return {
    name: spec.user ?? "",
    groups: spec.groups ?? [],
    ...(spec.uid && { uid: spec.uid }),
    ...(spec.extra && { extra: spec.extra }),
  };
}

/** What `resourceAttributes` or `nonResourceAttributes` ask about. */
export function attributesOf(user: UserInfo, spec: any): Attributes {
  const on = spec.resourceAttributes;
  if (!on) {
    const { verb = "", path = "" } = spec.nonResourceAttributes;
    return { user, verb, path };
  }
  return {
    user,
    verb: on.verb ?? "",
    group: on.group ?? "",
    version: on.version || "*",
    resource: on.resource ?? "",
    ...(on.subresource && { subresource: on.subresource }),
    ...(on.namespace && { namespace: on.namespace }),
    ...(on.name && { name: on.name }),
  };
}
