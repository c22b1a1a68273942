import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";

/** A signed token's two parts, before anything is believed. */
export interface ParsedJwt {
  header: { alg?: unknown; kid?: unknown };
  claims: Record<string, unknown>;
  signed: string;
  signature: Buffer;
}

/** A public key that verifies tokens, known by the hash of its encoding, as upstream's `kid`. */
export interface VerificationKey {
  kid: string;
  alg: "ES256" | "RS256";
  key: KeyObject;
}

/** No token of ours comes near; a longer one is not even looked at. */
export const jwtLengthMax = 16 * 1024;

/** The verification key that belongs to a private (or public) key in PEM: P-256 or RSA. */
export function verificationKey(pem: string): VerificationKey {
  const key = createPublicKey(pem);
  const kid = createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest("base64url");
  return { kid, alg: key.asymmetricKeyType === "rsa" ? "RS256" : "ES256", key };
}

const base64urlJson = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

export function signJwt(
  claims: object,
  key: KeyObject,
  { kid, alg }: Pick<VerificationKey, "kid" | "alg">,
): string {
  const signed = `${base64urlJson({ alg, kid })}.${base64urlJson(claims)}`;
  const signature = sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}

/** The token's parts, or undefined for what is no JWT. */
export function parseJwt(token: string): ParsedJwt | undefined {
  if (token.length > jwtLengthMax) return undefined;
  const parts = token.split(".");
  if (parts.length !== 3) return undefined;
  const [header, claims] = parts.slice(0, 2).map(jsonObject);
  if (!header || !claims) return undefined;
  return {
    header,
    claims,
    signed: `${parts[0]}.${parts[1]}`,
    signature: Buffer.from(parts[2]!, "base64url"),
  };
}

function jsonObject(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** The algorithm is the key's, never what the token says of itself. */
export function isSignedBy(
  { header, signed, signature }: ParsedJwt,
  { alg, key, kid }: VerificationKey,
): boolean {
  if (header.alg !== alg || (header.kid !== undefined && header.kid !== kid)) return false;
  return verify("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" }, signature);
}
