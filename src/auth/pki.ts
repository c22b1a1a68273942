import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { type Clock, syncDirectory, writeFileAtomically } from "../base/index.ts";
import { type KeyPair, keyPem, newKey, type Subject, signCertificate } from "./certificate.ts";
import { systemMasters } from "./contract.ts";

/** The cluster's keys and certificates, all PEM. */
export interface Pki {
  ca: KeyPair;
  /** What the API server shows its clients. */
  apiserver: KeyPair;
  /** `kubernetes-admin`, of the group that may do all. */
  admin: KeyPair;
  scheduler: KeyPair;
  controllerManager: KeyPair;
  /** The node agent's, as a client of the API server. */
  node: KeyPair;
  /** The private key that signs service-account tokens. */
  serviceAccountKey: string;
  /** The names of files that this call made or renewed; empty on an ordinary start. */
  written: readonly string[];
}

export interface PkiOptions {
  clock: Clock;
  nodeName: string;
  /** Further names and addresses that clients reach the server by. */
  sans?: readonly string[];
}

const dayMs = 86_400_000;
/** As kubeadm: ten years and one. */
const caLifetimeMs = 3_650 * dayMs;
const leafLifetimeMs = 365 * dayMs;
/** What is nearer to its end than this is renewed at the next start. */
const renewBeforeMs = 60 * dayMs;
/** For clients whose clocks are behind. */
const backdateMs = 300_000;

const caSubject: Subject = { commonName: "kubernetes" };

const servingSans = [
  "localhost",
  "127.0.0.1",
  "::1",
  "kubernetes",
  "kubernetes.default",
  "kubernetes.default.svc",
  "kubernetes.default.svc.cluster.local",
];

/**
 * Reads the cluster's keys and certificates from `dir`, and makes what is missing, near its end, not of this CA, without a name
 * that is asked for, or half-written by a start that was killed. Private keys are readable by their owner only. A start
 * that finds everything in order only reads.
 */
export async function ensurePki(dir: string, options: PkiOptions): Promise<Pki> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const directory = new PkiDirectory(dir, options.clock.now());
  const ca = await directory.ca();
  const component = (name: string) => directory.client(ca, name, { commonName: `system:${name}` });
  const [apiserver, admin, scheduler, controllerManager, node, serviceAccountKey] = await Promise.all([
    directory.server(ca, "apiserver", [...new Set([...servingSans, ...(options.sans ?? [])])]),
    directory.client(ca, "admin", { commonName: "kubernetes-admin", organizations: [systemMasters] }),
    component("kube-scheduler"),
    component("kube-controller-manager"),
    directory.client(ca, `node-${options.nodeName}`, {
      commonName: `system:node:${options.nodeName}`,
      organizations: ["system:nodes"],
    }),
    directory.signingKey("sa"),
  ]);
  if (directory.written.length > 0) await syncDirectory(dir);
  return {
    ca: ca.pair,
    apiserver,
    admin,
    scheduler,
    controllerManager,
    node,
    serviceAccountKey,
    written: directory.written,
  };
}

interface Ca {
  pair: KeyPair;
  certificate: X509Certificate;
  key: KeyObject;
}

class PkiDirectory {
  readonly written: string[] = [];
  readonly #dir: string;
  readonly #nowMs: number;

  constructor(dir: string, nowMs: number) {
    this.#dir = dir;
    this.#nowMs = nowMs;
  }

  async ca(): Promise<Ca> {
    const [certificatePem, storedKey] = await Promise.all([this.#read("ca.crt"), this.#readKey("ca.key")]);
    const key = storedKey?.key ?? newKey().privateKey;
    const pem = storedKey?.pem ?? keyPem(key);
    const stored = certificatePem === undefined ? undefined : parseCertificate(certificatePem);
    if (stored && storedKey && stored.ca && stored.checkPrivateKey(key) && this.#lasts(stored)) {
      return { pair: { certificate: certificatePem!, key: pem }, certificate: stored, key };
    }
    // The key is kept where there is one, so that certificates it signed stay good.
    const certificate = signCertificate({
      subject: caSubject,
      publicKey: createPublicKey(key),
      notBeforeMs: this.#nowMs - backdateMs,
      notAfterMs: this.#nowMs + caLifetimeMs,
      use: "ca",
      issuer: { subject: caSubject, key },
    });
    if (!storedKey) await this.#write("ca.key", pem, 0o600);
    await this.#write("ca.crt", certificate, 0o644);
    return { pair: { certificate, key: pem }, certificate: new X509Certificate(certificate), key };
  }

  server(ca: Ca, name: string, sans: readonly string[]): Promise<KeyPair> {
    return this.#leaf(ca, name, { use: "server", subject: { commonName: "kube-apiserver" }, sans });
  }

  client(ca: Ca, name: string, subject: Subject): Promise<KeyPair> {
    return this.#leaf(ca, name, { use: "client", subject, sans: [] });
  }

  async signingKey(name: string): Promise<string> {
    const stored = await this.#readKey(`${name}.key`);
    if (stored) return stored.pem;
    const { privateKey, publicKey } = newKey();
    const pem = keyPem(privateKey);
    await this.#write(`${name}.key`, pem, 0o600);
    await this.#write(`${name}.pub`, publicKey.export({ type: "spki", format: "pem" }).toString(), 0o644);
    return pem;
  }

  async #leaf(
    ca: Ca,
    name: string,
    want: { use: "server" | "client"; subject: Subject; sans: readonly string[] },
  ): Promise<KeyPair> {
    const [certificatePem, storedKey] = await Promise.all([
      this.#read(`${name}.crt`),
      this.#readKey(`${name}.key`),
    ]);
    if (certificatePem !== undefined && storedKey) {
      const stored = parseCertificate(certificatePem);
      if (stored && this.#isGood(stored, storedKey.key, ca, want)) {
        return { certificate: certificatePem, key: storedKey.pem };
      }
    }
    const { privateKey, publicKey } = newKey();
    const key = keyPem(privateKey);
    const certificate = signCertificate({
      ...want,
      publicKey,
      notBeforeMs: this.#nowMs - backdateMs,
      notAfterMs: Math.min(this.#nowMs + leafLifetimeMs, Date.parse(ca.certificate.validTo)),
      issuer: { subject: caSubject, key: ca.key },
    });
    // Killed between the two, the next start finds a key that is not the certificate's, and makes both anew.
    await this.#write(`${name}.key`, key, 0o600);
    await this.#write(`${name}.crt`, certificate, 0o644);
    return { certificate, key };
  }

  #isGood(
    certificate: X509Certificate,
    key: KeyObject,
    ca: Ca,
    { subject, sans }: { subject: Subject; sans: readonly string[] },
  ): boolean {
    return (
      this.#lasts(certificate) &&
      certificate.checkPrivateKey(key) &&
      certificate.verify(ca.certificate.publicKey) &&
      certificate.subject === subjectText(subject) &&
      sans.every((san) => (isIP(san) ? certificate.checkIP(san) : certificate.checkHost(san)))
    );
  }

  #lasts(certificate: X509Certificate): boolean {
    return (
      Date.parse(certificate.validFrom) <= this.#nowMs &&
      Date.parse(certificate.validTo) > this.#nowMs + renewBeforeMs
    );
  }

  async #read(file: string): Promise<string | undefined> {
    try {
      return await readFile(join(this.#dir, file), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  async #readKey(file: string): Promise<{ pem: string; key: KeyObject } | undefined> {
    const pem = await this.#read(file);
    if (pem === undefined) return undefined;
    try {
      return { pem, key: createPrivateKey(pem) };
    } catch {
      return undefined;
    }
  }

  async #write(file: string, content: string, mode: number): Promise<void> {
    await writeFileAtomically(join(this.#dir, file), content, { mode });
    this.written.push(file);
  }
}

/** As Node writes a certificate's subject. */
const subjectText = ({ organizations = [], commonName }: Subject) =>
  [...organizations.map((organization) => `O=${organization}`), `CN=${commonName}`].join("\n");

function parseCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}
