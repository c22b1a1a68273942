import type { corev1 } from "../../api/index.ts";

/** A Linux host name has at most 64 bytes; Kubernetes keeps one free. */
const hostnameLengthMax = 63;
const kernelHostnameLengthMax = 64;

export interface PodHostname {
  /** Without domain. */
  hostname: string;
  /** `subdomain.namespace.svc.cluster.local`, or empty. */
  domain: string;
}

/** As kubelet's GeneratePodHostNameAndDomain. */
export function podHostname(pod: corev1.Pod, clusterDomain: string): PodHostname {
  const { spec, metadata } = pod;
  if (spec!.hostnameOverride !== undefined) return { hostname: truncate(spec!.hostnameOverride), domain: "" };
  const hostname = truncate(spec!.hostname || metadata.name!);
  const domain = spec!.subdomain ? `${spec!.subdomain}.${metadata.namespace}.svc.${clusterDomain}` : "";
  return { hostname, domain };
}

/** What the kernel is told. Throws when a fully qualified name is asked for and too long. */
export function kernelHostname(pod: corev1.Pod, { hostname, domain }: PodHostname): string {
  if (!pod.spec!.setHostnameAsFQDN || !domain) return hostname;
  const full = `${hostname}.${domain}`;
  if (full.length > kernelHostnameLengthMax) {
    throw new Error(
      `failed to construct FQDN from pod hostname and cluster domain, FQDN ${full} is too long (${kernelHostnameLengthMax} characters is the max, ${full.length} characters requested)`,
    );
  }
  return full;
}

function truncate(hostname: string): string {
  return hostname.length <= hostnameLengthMax
    ? hostname
    : hostname.slice(0, hostnameLengthMax).replace(/[-.]+$/, "");
}
