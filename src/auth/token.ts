import { createPrivateKey, type KeyObject } from "node:crypto";
import type { Clock, Random } from "../base/index.ts";
import { signJwt, type VerificationKey, verificationKey } from "./jwt.ts";

/** A token for a service account, as a `TokenRequest` asks for it. */
export interface TokenIssueRequest {
  namespace: string;
  serviceAccount: { name: string; uid: string };
  /** None: the API server's own. */
  audiences: readonly string[];
  expirationSeconds: number;
  /** What the token dies with. A pod's token also says on which node the pod is. */
  bound?: {
    kind: "Pod" | "Secret" | "Node";
    name: string;
    uid: string;
    nodeName?: string;
    nodeUid?: string;
  };
}

export interface TokenIssuer {
  issue(request: TokenIssueRequest): Promise<IssuedToken>;
  /** For `/openid/v1/jwks`. */
  jwks(): { keys: Record<string, unknown>[] };
  /** For `/.well-known/openid-configuration`. */
  openIdConfiguration(options: { jwksUri: string }): Record<string, unknown>;
  readonly issuer: string;
  /** The audience of a token that asks for none. */
  readonly audiences: readonly string[];
  readonly keys: readonly VerificationKey[];
}

export interface IssuedToken {
  token: string;
  /** RFC 3339: when the client should hold it to be over. */
  expirationTimestamp: string;
  expiresAtMs: number;
}

export interface TokenIssuerOptions {
  /** PEM, P-256 or RSA. */
  signingKey: string;
  /** Keys of former times (PEM), whose tokens are still good. */
  formerKeys?: readonly string[];
  issuer?: string;
  audiences?: readonly string[];
  clock: Clock;
  random: Random;
}

export const defaultIssuer = "https://kubernetes.default.svc.cluster.local";

/**
 * What a kubelet asks for a projected token whose pod names no lifetime. Upstream then makes the token last a year, so that clients
 * that never read it again go on working, and warns after the hour that was asked for.
 */
const extendableExpirationSeconds = 3_607;
const extendedExpirationSeconds = 365 * 24 * 3_600;

/** Counterpart upstream: `pkg/serviceaccount` (`Claims`, `JWTTokenGenerator`, `openidmetadata.go`). */
export function createTokenIssuer(options: TokenIssuerOptions): TokenIssuer {
  return new SigningTokenIssuer(options);
}

class SigningTokenIssuer implements TokenIssuer {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly keys: readonly VerificationKey[];
  readonly #privateKey: KeyObject;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor({
    signingKey,
    formerKeys = [],
    issuer = defaultIssuer,
    audiences,
    clock,
    random,
  }: TokenIssuerOptions) {
    this.issuer = issuer;
    this.audiences = audiences ?? [issuer];
    this.#privateKey = createPrivateKey(signingKey);
    this.keys = [signingKey, ...formerKeys].map(verificationKey);
    this.#clock = clock;
    this.#random = random;
  }

  async issue(request: TokenIssueRequest): Promise<IssuedToken> {
    const nowS = Math.floor(this.#clock.now() / 1_000);
    const audiences = request.audiences.length > 0 ? request.audiences : this.audiences;
    const { expirationSeconds } = request;
    const extend =
      request.bound?.kind === "Pod" &&
      expirationSeconds === extendableExpirationSeconds &&
      audiences.every((audience) => this.audiences.includes(audience));
    const claims = {
      aud: audiences,
      exp: nowS + (extend ? extendedExpirationSeconds : expirationSeconds),
      iat: nowS,
      iss: this.issuer,
      jti: this.#random.uuid(),
      "kubernetes.io": {
        namespace: request.namespace,
        ...boundClaims(request.bound),
        serviceaccount: { name: request.serviceAccount.name, uid: request.serviceAccount.uid },
        ...(extend && { warnafter: nowS + expirationSeconds }),
      },
      nbf: nowS,
      sub: `system:serviceaccount:${request.namespace}:${request.serviceAccount.name}`,
    };
    // The client is told of the time it asked for, so that it renews in time.
    const expiresAtMs = (nowS + expirationSeconds) * 1_000;
    return {
      token: signJwt(claims, this.#privateKey, this.keys[0]!),
      expirationTimestamp: `${new Date(expiresAtMs).toISOString().slice(0, 19)}Z`,
      expiresAtMs,
    };
  }

  jwks(): { keys: Record<string, unknown>[] } {
    return {
      keys: this.keys.map(({ kid, alg, key }) => ({
        use: "sig",
        ...key.export({ format: "jwk" }),
        kid,
        alg,
      })),
    };
  }

  openIdConfiguration({ jwksUri }: { jwksUri: string }): Record<string, unknown> {
    return {
      issuer: this.issuer,
      jwks_uri: jwksUri,
      response_types_supported: ["id_token"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: [...new Set(this.keys.map(({ alg }) => alg))].sort(),
    };
  }
}

function boundClaims(bound: TokenIssueRequest["bound"]): Record<string, { name: string; uid?: string }> {
  if (!bound) return {};
  const { kind, name, uid, nodeName, nodeUid } = bound;
  switch (kind) {
    case "Pod":
      return {
        ...(nodeName && { node: { name: nodeName, ...(nodeUid && { uid: nodeUid }) } }),
        pod: { name, uid },
      };
    case "Secret":
      return { secret: { name, uid } };
    case "Node":
      return { node: { name, uid } };
  }
}
