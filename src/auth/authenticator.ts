import type { Clock } from "../base/index.ts";
import { unauthorized } from "../machinery/index.ts";
import {
  type Authenticator,
  allAuthenticated,
  anonymous,
  type Credentials,
  type UserInfo,
} from "./contract.ts";
import { isSignedBy, type ParsedJwt, parseJwt, type VerificationKey } from "./jwt.ts";

/** What a token's claims may be bound to. */
export interface BoundObject {
  uid: string;
  deletionTimestamp?: string;
}
export type BoundResource = "serviceaccounts" | "pods" | "secrets" | "nodes";

/** Finds what a token is bound to, as the store has it now; `namespace` is undefined for a node. */
export type FindBoundObject = (
  resource: BoundResource,
  namespace: string | undefined,
  name: string,
) => BoundObject | undefined | Promise<BoundObject | undefined>;

export interface AuthenticatorOptions {
  clock: Clock;
  /** Of the token issuer: its name, its keys, and the audiences that a token for this server must have one of. */
  tokens: { issuer: string; keys: readonly VerificationKey[]; audiences: readonly string[] };
  find: FindBoundObject;
}

/** A token's user and which of the audiences that were asked for it is good for. For a `TokenReview`. */
export interface ReviewedToken {
  user: UserInfo;
  audiences: readonly string[];
}

export interface TokenAuthenticator extends Authenticator {
  /** Throws an Error that says what is wrong with the token; the text may be shown in a `TokenReview`. */
  reviewToken(token: string, audiences?: readonly string[]): Promise<ReviewedToken>;
}

/** Verifying a signature costs 0.1 ms; a token is verified once while it is in use. Some 2 KB each. */
const verifiedTokensMax = 1_000;
/** As go-jose: clocks may differ. */
const leewayS = 60;

/**
 * Client certificates (which TLS has verified), service-account tokens, and nobody. A token is good while its times are, and
 * while its service account and what it is bound to exist with the same uid: that is asked for each request, in memory.
 *
 * Counterpart upstream: `apiserver/pkg/authentication/request/x509`, `pkg/serviceaccount/claims.go`.
 */
export function createAuthenticator(options: AuthenticatorOptions): TokenAuthenticator {
  return new CertificateAndTokenAuthenticator(options);
}

class CertificateAndTokenAuthenticator implements TokenAuthenticator {
  readonly #options: AuthenticatorOptions;
  readonly #verified = new Map<string, Claims>();

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  async authenticate({ certificate, bearerToken }: Credentials): Promise<UserInfo> {
    // A certificate without a name is as none: upstream rejects it.
    if (certificate) return certificateUser(certificate);
    if (bearerToken === undefined) return anonymous;
    try {
      return (await this.reviewToken(bearerToken)).user;
    } catch (cause) {
      // What is wrong with it is not for whoever holds it.
      throw Object.assign(unauthorized(), { cause });
    }
  }

  async reviewToken(token: string, audiences: readonly string[] = this.#options.tokens.audiences) {
    const claims = this.#verifiedClaims(token);
    checkTimes(claims, Math.floor(this.#options.clock.now() / 1_000));
    const shared = audiences.filter((audience) => claims.audiences.includes(audience));
    if (shared.length === 0) {
      throw new Error(
        `token audiences ${JSON.stringify(claims.audiences)} is invalid for the target audiences ${JSON.stringify(audiences)}`,
      );
    }
    await this.#checkBound(claims);
    return { user: claims.user, audiences: shared };
  }

  #verifiedClaims(token: string): Claims {
    const known = this.#verified.get(token);
    if (known) {
      // The newest at the end: the oldest goes first.
      this.#verified.delete(token);
      this.#verified.set(token, known);
      return known;
    }
    const { issuer, keys } = this.#options.tokens;
    const parsed = parseJwt(token);
    if (!parsed || parsed.claims.iss !== issuer) throw new Error("invalid bearer token");
    if (!keys.some((key) => isSignedBy(parsed, key))) throw new Error("invalid bearer token");
    const claims = claimsOf(parsed);
    if (this.#verified.size >= verifiedTokensMax) {
      this.#verified.delete(this.#verified.keys().next().value!);
    }
    this.#verified.set(token, claims);
    return claims;
  }

  async #checkBound(claims: Claims): Promise<void> {
    const { namespace, serviceAccount, pod, secret, node } = claims;
    await this.#check("serviceaccounts", namespace, serviceAccount);
    if (secret) await this.#check("secrets", namespace, secret);
    if (pod) await this.#check("pods", namespace, pod);
    // A pod's token only says where the pod is; it does not die with the node.
    else if (node) await this.#check("nodes", undefined, node);
  }

  async #check(resource: BoundResource, namespace: string | undefined, claimed: Reference): Promise<void> {
    const found = await this.#options.find(resource, namespace, claimed.name);
    if (!found) throw new Error("service account token has been invalidated");
    if (found.uid !== claimed.uid) {
      throw new Error(
        `the uid of ${resource} ${claimed.name} (${found.uid}) does not match claim (${claimed.uid})`,
      );
    }
    if (found.deletionTimestamp !== undefined) {
      const goneForMs = this.#options.clock.now() - Date.parse(found.deletionTimestamp);
      if (goneForMs > leewayS * 1_000) throw new Error("service account token has been invalidated");
    }
  }
}

type Certificate = NonNullable<Credentials["certificate"]>;

/** One user a connection: TLS's verified subject is the same object for each of its requests. */
const certificateUsers = new WeakMap<Certificate, UserInfo>();

function certificateUser(certificate: Certificate): UserInfo {
  const known = certificateUsers.get(certificate);
  if (known) return known;
  const { commonName, organizations, sha256 } = certificate;
  if (commonName === "") throw unauthorized();
  const user: UserInfo = {
    name: commonName,
    groups: withAuthenticated(organizations),
    ...(sha256 && { extra: { [credentialIdKey]: [`X509SHA256=${sha256}`] } }),
  };
  certificateUsers.set(certificate, user);
  return user;
}

const withAuthenticated = (groups: readonly string[]): readonly string[] =>
  groups.includes(allAuthenticated) ? groups : [...groups, allAuthenticated];

const extraPrefix = "authentication.kubernetes.io/";
const credentialIdKey = `${extraPrefix}credential-id`;

interface Reference {
  name: string;
  uid: string;
}

/** What a verified token says, and the user it is. */
interface Claims {
  notBeforeS: number;
  expiresAtS: number;
  issuedAtS: number;
  audiences: readonly string[];
  namespace: string;
  serviceAccount: Reference;
  pod: Reference | undefined;
  secret: Reference | undefined;
  node: Reference | undefined;
  user: UserInfo;
}

function claimsOf({ claims }: ParsedJwt): Claims {
  const kubernetes = claims["kubernetes.io"] as Record<string, unknown> | undefined;
  const namespace = kubernetes?.namespace;
  const serviceAccount = referenceOf(kubernetes?.serviceaccount);
  if (typeof namespace !== "string" || namespace === "" || !serviceAccount)
    throw new Error("invalid bearer token");
  if (claims.sub !== `system:serviceaccount:${namespace}:${serviceAccount.name}`)
    throw new Error("invalid bearer token");
  if (typeof claims.exp !== "number") throw new Error("invalid bearer token");
  const [pod, secret, node] = [kubernetes?.pod, kubernetes?.secret, kubernetes?.node].map(referenceOf);
  return {
    notBeforeS: typeof claims.nbf === "number" ? claims.nbf : 0,
    expiresAtS: claims.exp,
    issuedAtS: typeof claims.iat === "number" ? claims.iat : 0,
    audiences: [claims.aud].flat().filter((audience): audience is string => typeof audience === "string"),
    namespace,
    serviceAccount,
    pod,
    secret,
    node,
    user: serviceAccountUser({ namespace, serviceAccount, pod, node, credentialId: claims.jti }),
  };
}

function referenceOf(value: unknown): Reference | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { name, uid } = value as Partial<Reference>;
  return typeof name === "string" ? { name, uid: typeof uid === "string" ? uid : "" } : undefined;
}

/** The user that a service account is: also for components that act as one without a token. */
export function serviceAccountUser(account: {
  namespace: string;
  serviceAccount: { name: string; uid?: string };
  pod?: Reference;
  node?: Reference;
  credentialId?: unknown;
}): UserInfo {
  const { namespace, serviceAccount, pod, node, credentialId } = account;
  const extra: Record<string, readonly string[]> = {};
  if (typeof credentialId === "string") extra[credentialIdKey] = [`JTI=${credentialId}`];
  if (pod) {
    extra[`${extraPrefix}pod-name`] = [pod.name];
    extra[`${extraPrefix}pod-uid`] = [pod.uid];
  }
  if (node) {
    extra[`${extraPrefix}node-name`] = [node.name];
    if (node.uid) extra[`${extraPrefix}node-uid`] = [node.uid];
  }
  return {
    name: `system:serviceaccount:${namespace}:${serviceAccount.name}`,
    ...(serviceAccount.uid && { uid: serviceAccount.uid }),
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, allAuthenticated],
    ...(Object.keys(extra).length > 0 && { extra }),
  };
}

function checkTimes({ notBeforeS, expiresAtS, issuedAtS }: Claims, nowS: number): void {
  if (nowS > expiresAtS + leewayS) throw new Error("service account token has expired");
  if (nowS < notBeforeS - leewayS) throw new Error("service account token is not valid yet");
  if (nowS < issuedAtS - leewayS) throw new Error("service account token is issued in the future");
}
