import { type Digest, isDigest } from "./digest.ts";

/** A piece of content, as manifests point to it. */
export interface Descriptor {
  mediaType: string;
  digest: Digest;
  size: number;
  annotations?: Record<string, string>;
  platform?: { os?: string; architecture?: string; variant?: string };
}

/** An image's manifest; or an index (a manifest list) of one manifest for each platform. */
export type Manifest =
  | { kind: "image"; config: Descriptor; layers: Descriptor[] }
  | { kind: "index"; manifests: Descriptor[] };

/** The part of an image's config blob that matters here. */
export interface ConfigBlob {
  os?: string;
  architecture?: string;
  variant?: string;
  config: Record<string, unknown>;
  diffIds: Digest[];
}

/** As the distribution specification recommends, and as registries enforce it. */
export const manifestBytesMax = 4 << 20;
export const configBytesMax = 4 << 20;
/** As Docker and containerd: what one overlay mount could ever hold. */
export const layersMax = 127;
/** An index of an index of an index… is nobody's image. */
export const indexDepthMax = 4;

export const manifestMediaTypes = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];

const layerMediaType =
  /^application\/vnd\.(?:docker\.image\.rootfs(?:\.foreign)?\.diff\.tar(?:\.gzip|\.zstd)?|oci\.image\.layer(?:\.nondistributable)?\.v1\.tar(?:\+gzip|\+zstd)?)$/;
const configMediaTypes = new Set([
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.docker.container.image.v1+json",
  // Written by old builders.
  "application/octet-stream",
]);

export class ManifestError extends Error {
  override name = "ManifestError";
}

/** @throws ManifestError for what is no manifest, or one of a kind that cannot run. */
export function parseManifest(bytes: Buffer): Manifest {
  const value = parseObject(bytes, "manifest");
  if (value["schemaVersion"] === 1 || "fsLayers" in value) {
    throw new ManifestError(
      "Docker's image manifest version 2, schema 1 is no longer supported: push the image again",
    );
  }
  if (Array.isArray(value["manifests"])) {
    return { kind: "index", manifests: value["manifests"].map((entry) => descriptor(entry, "manifests")) };
  }
  if (value["config"] === undefined || !Array.isArray(value["layers"])) {
    throw new ManifestError("invalid manifest: neither an image nor an index");
  }
  const config = descriptor(value["config"], "config");
  if (!configMediaTypes.has(config.mediaType)) {
    throw new ManifestError(
      `not a container image: its config is of type ${JSON.stringify(config.mediaType)}`,
    );
  }
  if (config.size > configBytesMax)
    throw new ManifestError(`the config is larger than ${configBytesMax} bytes`);
  const layers = value["layers"].map((entry) => descriptor(entry, "layers"));
  if (layers.length > layersMax) throw new ManifestError(`more than ${layersMax} layers`);
  for (const layer of layers) {
    if (!layerMediaType.test(layer.mediaType)) {
      throw new ManifestError(`unsupported layer type ${JSON.stringify(layer.mediaType)}`);
    }
  }
  return { kind: "image", config, layers };
}

function parseObject(bytes: Buffer, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch {
    throw new ManifestError(`invalid ${what}: not JSON`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ManifestError(`invalid ${what}: not an object`);
  }
  return value as Record<string, unknown>;
}

function descriptor(value: unknown, at: string): Descriptor {
  const of = (value ?? {}) as Partial<Descriptor>;
  if (!isDigest(of.digest)) throw new ManifestError(`invalid digest in ${at}`);
  if (typeof of.size !== "number" || !Number.isSafeInteger(of.size) || of.size < 0) {
    throw new ManifestError(`invalid size in ${at}`);
  }
  return { ...of, mediaType: String(of.mediaType ?? ""), digest: of.digest, size: of.size };
}

export interface Platform {
  os: "linux";
  architecture: string;
  variant?: string;
}

/** Node's names of architectures, in Go's. */
export function platformOf(arch: string): Platform {
  switch (arch) {
    case "x64":
      return { os: "linux", architecture: "amd64" };
    case "ia32":
      return { os: "linux", architecture: "386" };
    case "arm64":
      return { os: "linux", architecture: "arm64", variant: "v8" };
    case "arm":
      return { os: "linux", architecture: "arm", variant: "v7" };
    default:
      return { os: "linux", architecture: arch };
  }
}

/** An index's manifest for `platform`: of its very variant, else of an older or no stated one. @throws ManifestError */
export function chooseManifest(manifests: readonly Descriptor[], platform: Platform): Descriptor {
  const candidates = manifests.filter(
    ({ platform: has }) => has?.os === platform.os && has.architecture === platform.architecture,
  );
  const exact = candidates.find(({ platform: has }) => has?.variant === platform.variant);
  if (exact) return exact;
  const older = candidates
    .filter(({ platform: has }) => !has?.variant || !platform.variant || has.variant < platform.variant)
    .sort((a, b) => ((a.platform?.variant ?? "") < (b.platform?.variant ?? "") ? 1 : -1))[0];
  if (older) return older;
  // One entry that does not say what it is for, as single-platform builders write it.
  const only = manifests.length === 1 ? manifests[0] : undefined;
  if (only && !only.platform) return only;
  throw new ManifestError(`no match for platform in manifest: ${formatPlatform(platform)} not found`);
}

export function formatPlatform(platform: { os?: string; architecture?: string; variant?: string }): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join("/");
}

/** @throws ManifestError */
export function parseConfig(bytes: Buffer): ConfigBlob {
  const value = parseObject(bytes, "image config");
  const rootfs = value["rootfs"] as { type?: unknown; diff_ids?: unknown } | undefined;
  const diffIds = rootfs?.diff_ids ?? [];
  if (!Array.isArray(diffIds) || !diffIds.every(isDigest))
    throw new ManifestError("invalid diff_ids in the image config");
  const config = value["config"] ?? {};
  if (typeof config !== "object") throw new ManifestError("invalid config in the image config");
  const text = (key: string) => (typeof value[key] === "string" ? value[key] : undefined);
  return {
    os: text("os"),
    architecture: text("architecture"),
    variant: text("variant"),
    config: config as Record<string, unknown>,
    diffIds,
  };
}
