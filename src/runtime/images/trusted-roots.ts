import { readFileSync } from "node:fs";
import { rootCertificates } from "node:tls";

/** Where Go, and so containerd, looks for the host's certificates, in this order. */
const hostFiles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/**
 * The authorities (PEM) that registries are trusted by: the host's, as for containerd (`SSL_CERT_FILE`, or the usual
 * places; Node's own list on a host that has none), and those of `NODE_EXTRA_CA_CERTS`.
 *
 * Node itself would read that last one at each start of each process, 50 ms: the command line's entry hands it on as
 * `PEAPOD_EXTRA_CA_CERTS`. Throws, with its name, where a file that was named cannot be read.
 */
export function trustedRoots(env: NodeJS.ProcessEnv): string[] {
  const extra = env.PEAPOD_EXTRA_CA_CERTS ?? env.NODE_EXTRA_CA_CERTS;
  return [...hostRoots(env), ...(extra ? [readFileSync(extra, "utf8")] : [])];
}

function hostRoots({ SSL_CERT_FILE: named }: NodeJS.ProcessEnv): readonly string[] {
  if (named) return [readFileSync(named, "utf8")];
  for (const file of hostFiles) {
    try {
      return [readFileSync(file, "utf8")];
    } catch {
      // The next one.
    }
  }
  return rootCertificates;
}
