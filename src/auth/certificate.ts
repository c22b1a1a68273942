import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { isIP, isIPv4, SocketAddress } from "node:net";
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  objectId,
  octetString,
  sequence,
  setOf,
  time,
  utf8String,
} from "./der.ts";

export interface Subject {
  commonName: string;
  organizations?: readonly string[];
}

/** A certificate and its private key, both PEM. */
export interface KeyPair {
  certificate: string;
  key: string;
}

export interface CertificateRequest {
  subject: Subject;
  publicKey: KeyObject;
  notBeforeMs: number;
  notAfterMs: number;
  use: "ca" | "server" | "client";
  /** Host names and IP addresses. */
  sans?: readonly string[];
  issuer: { subject: Subject; key: KeyObject };
}

/** A new P-256 key: made in a fraction of a millisecond, where RSA takes a hundred. */
export const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" });

export const keyPem = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString();

/** Signs a certificate with ECDSA and SHA-256 and returns it as PEM. */
export function signCertificate(request: CertificateRequest): string {
  const { issuer } = request;
  const algorithm = sequence(objectId("1.2.840.10045.4.3.2"));
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(serialNumber()),
    algorithm,
    name(issuer.subject),
    sequence(time(request.notBeforeMs), time(request.notAfterMs)),
    name(request.subject),
    spkiOf(request.publicKey),
    explicit(3, sequence(...extensions(request))),
  );
  const der = sequence(body, algorithm, bitString(sign("sha256", body, issuer.key)));
  return new X509Certificate(der).toString();
}

/** 127 random bits: positive, and never zero. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes;
}

function name({ commonName, organizations = [] }: Subject): Buffer {
  const attribute = (id: string, value: string) => setOf(sequence(objectId(id), utf8String(value)));
  return sequence(
    ...organizations.map((organization) => attribute("2.5.4.10", organization)),
    attribute("2.5.4.3", commonName),
  );
}

const spkiOf = (key: KeyObject): Buffer => key.export({ type: "spki", format: "der" });

const critical = boolean(true);
const extension = (id: string, value: Buffer, ...flags: Buffer[]) =>
  sequence(objectId(id), ...flags, octetString(value));

function extensions({ use, publicKey, issuer, sans = [] }: CertificateRequest): Buffer[] {
  const ca = use === "ca";
  const issuerKeyId = keyId(issuer.key);
  return [
    // digitalSignature, and for a CA keyCertSign and cRLSign too.
    extension("2.5.29.15", bitString(Buffer.from([ca ? 0x86 : 0x80]), ca ? 1 : 7), critical),
    extension("2.5.29.19", ca ? sequence(boolean(true)) : sequence(), critical),
    ...(ca ? [] : [extension("2.5.29.37", sequence(objectId(extendedUse[use])))]),
    extension("2.5.29.14", octetString(keyId(publicKey))),
    extension("2.5.29.35", sequence(implicit(0, issuerKeyId))),
    ...(sans.length ? [extension("2.5.29.17", sequence(...sans.map(alternativeName)))] : []),
  ];
}

const extendedUse = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" };

function keyId(key: KeyObject): Buffer {
  const publicJwk = key.export({ format: "jwk" });
  return createHash("sha256").update(`${publicJwk.x}.${publicJwk.y}`).digest().subarray(0, 20);
}

const alternativeName = (san: string): Buffer =>
  isIP(san) ? implicit(7, addressBytes(san)) : implicit(2, Buffer.from(san, "ascii"));

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split(".").map(Number));
  const { address: canonical } = new SocketAddress({ address, family: "ipv6" });
  const [head = "", tail] = canonical.split("::");
  const groups = (part: string) =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const first = groups(head);
  const last = tail === undefined ? [] : groups(tail);
  const all = [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}
