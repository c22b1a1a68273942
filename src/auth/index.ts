export {
  type AuthenticatorOptions,
  type BoundObject,
  type BoundResource,
  createAuthenticator,
  type FindBoundObject,
  type ReviewedToken,
  serviceAccountUser,
  type TokenAuthenticator,
} from "./authenticator.ts";
export { type AuthorizerOptions, createAuthorizer } from "./authorizer.ts";
export { builtinBindings, clusterRoles, controllerRoles } from "./builtin-roles.ts";
export type { KeyPair } from "./certificate.ts";
export * from "./contract.ts";
export { type KubeconfigOptions, kubeconfig, mergeKubeconfig, writeKubeconfig } from "./kubeconfig.ts";
export { type IsRelatedToNode, type NodeResource, nodeNameOf } from "./node-authorizer.ts";
export { ensurePki, type Pki, type PkiOptions } from "./pki.ts";
export { type PodReferences, relatedThroughPods } from "./pod-references.ts";
export { type Role, type RoleBinding, type RuleSource, rulesFromBindings, type Subject } from "./rbac.ts";
export { type PolicyRule, ruleAllows } from "./rules.ts";
export {
  createTokenIssuer,
  defaultIssuer,
  type IssuedToken,
  type TokenIssueRequest,
  type TokenIssuer,
  type TokenIssuerOptions,
} from "./token.ts";
