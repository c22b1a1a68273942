import type { PolicyRule } from "./rules.ts";

/** Who makes a request. As `k8s.io/apiserver/pkg/authentication/user.Info`. */
export interface UserInfo {
  name: string;
  uid?: string;
  groups: readonly string[];
  extra?: Record<string, readonly string[]>;
}

/** What a request carries to prove who it is from. */
export interface Credentials {
  /** The verified client certificate's subject, when TLS presented one that our CA signed. */
  certificate?: { commonName: string; organizations: readonly string[]; sha256?: string };
  bearerToken?: string;
}

/** Returns the user, `anonymous` for no credentials, or throws a 401 `StatusError` for bad ones. */
export interface Authenticator {
  authenticate(credentials: Credentials): Promise<UserInfo>;
}

/** As `k8s.io/apiserver/pkg/authorization/authorizer.Attributes`. */
export type Attributes =
  | {
      user: UserInfo;
      verb: string;
      group: string;
      version: string;
      resource: string;
      subresource?: string;
      namespace?: string;
      name?: string;
      /** Of a list, watch or deletecollection: a node may only read pods that it asks for by `spec.nodeName`. */
      fieldSelector?: string;
    }
  | { user: UserInfo; verb: string; path: string };

export interface Authorizer {
  /** `why` is shown to the client when not allowed. */
  authorize(attributes: Attributes): Promise<{ allowed: boolean; why?: string }>;
  /** What the user may do in the namespace, as far as rules say it; `incomplete` tells what else decides. */
  rulesFor(user: UserInfo, namespace: string): { rules: PolicyRule[]; incomplete?: string };
}

export const anonymous: UserInfo = { name: "system:anonymous", groups: ["system:unauthenticated"] };
export const allAuthenticated = "system:authenticated";
export const systemMasters = "system:masters";
