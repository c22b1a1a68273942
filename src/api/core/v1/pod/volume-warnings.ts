import type { corev1 } from "../../../index.ts";

/** Volume plugins that Kubernetes has given up. */
const deprecatedSources: readonly (readonly [keyof corev1.Volume, string, string?])[] = [
  ["photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"],
  ["gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"],
  ["scaleIO", "deprecated in v1.16, non-functional in v1.22+"],
  ["flocker", "deprecated in v1.22, non-functional in v1.25+"],
  ["storageos", "deprecated in v1.22, non-functional in v1.25+", "storageOS"],
  ["quobyte", "deprecated in v1.22, non-functional in v1.25+"],
  ["glusterfs", "deprecated in v1.25, non-functional in v1.26+"],
  ["cephfs", "deprecated in v1.28, non-functional in v1.31+"],
  ["rbd", "deprecated in v1.28, non-functional in v1.31+"],
];

export function volumeWarnings(volumes: readonly corev1.Volume[], path: string): string[] {
  const warnings: string[] = [];
  volumes.forEach((volume, i) => {
    for (const [source, message, shown = source] of deprecatedSources)
      if (volume[source]) warnings.push(`${path}[${i}].${shown}: ${message}`);
  });
  for (const volume of volumes) warnings.push(...overlapsIn(volume));
  return warnings;
}

/** A file of a volume, and where it comes from if the volume has several sources. */
interface File {
  path: string;
  source: string;
}

const quoted = (text: string | undefined) => JSON.stringify(text ?? "");
const shown = ({ path, source }: File) => (source ? `${quoted(path)} (${source})` : quoted(path));

const filesOf = (items: readonly { path?: string }[] | undefined, source = ""): File[] =>
  (items ?? []).map(({ path = "" }) => ({ path, source }));

/** Files that lie in each other's way: the later one wins, or mounting fails. */
function overlapsIn({ name, configMap, secret, downwardAPI, projected }: corev1.Volume): string[] {
  const warn = (kind: string, files: readonly File[]) =>
    overlaps(files).map((text) => `volume ${quoted(name)} (${kind}): overlapping paths: ${text}`);
  return [
    ...(configMap ? warn(`ConfigMap ${quoted(configMap.name)}`, filesOf(configMap.items)) : []),
    ...(secret ? warn(`Secret ${quoted(secret.secretName)}`, filesOf(secret.items)) : []),
    ...(downwardAPI ? warn("DownwardAPI", filesOf(downwardAPI.items)) : []),
    ...(projected ? projectedWarnings(name, projected, warn) : []),
  ];
}

function projectedWarnings(
  name: string,
  { sources = [] }: corev1.ProjectedVolumeSource,
  warn: (kind: string, files: readonly File[]) => string[],
): string[] {
  const empty = sources.filter((source) => Object.keys(source).length === 0);
  return [
    ...empty.map(() => `volume ${quoted(name)} (Projected) has no sources provided`),
    ...warn("Projected", sources.flatMap(filesOfSource)),
  ];
}

function filesOfSource(source: corev1.VolumeProjection): File[] {
  const { configMap, secret, downwardAPI, serviceAccountToken, clusterTrustBundle, podCertificate } = source;
  if (configMap?.items) return filesOf(configMap.items, `ConfigMap ${quoted(configMap.name)}`);
  if (secret?.items) return filesOf(secret.items, `Secret ${quoted(secret.name)}`);
  if (downwardAPI?.items) return filesOf(downwardAPI.items, "DownwardAPI");
  if (serviceAccountToken) return filesOf([serviceAccountToken], "ServiceAccountToken");
  if (clusterTrustBundle)
    return filesOf(
      [clusterTrustBundle],
      `ClusterTrustBundle ${quoted(clusterTrustBundle.name ?? clusterTrustBundle.signerName)}`,
    );
  if (!podCertificate) return [];
  const { certificateChainPath, keyPath, credentialBundlePath } = podCertificate;
  return [
    { path: certificateChainPath ?? "", source: "PodCertificate chain" },
    { path: keyPath ?? "", source: "PodCertificate key" },
    { path: credentialBundlePath ?? "", source: "PodCertificate credential bundle" },
  ].filter(({ path }) => path !== "");
}

function overlaps(files: readonly File[]): string[] {
  const found: string[] = [];
  const before: File[] = [];
  for (const given of files) {
    const file = { ...given, path: given.path.replace(/\/+$/, "") };
    if (file.path !== "")
      for (const other of before) {
        const [a, b] = [`${file.path}/`, `${other.path}/`];
        if (other.path !== "" && (a.startsWith(b) || b.startsWith(a)))
          found.push(`${shown(file)} with ${shown(other)}`);
      }
    before.push(file);
  }
  return found;
}
