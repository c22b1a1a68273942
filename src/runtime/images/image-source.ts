import { type FilePart, type FileTree, readPart } from "./archive.ts";
import { type Digest, digestOf, isDigest, matchesDigest } from "./digest.ts";
import {
  type ConfigBlob,
  chooseManifest,
  configBytesMax,
  type Descriptor,
  formatPlatform,
  indexDepthMax,
  type Manifest,
  ManifestError,
  manifestBytesMax,
  type Platform,
  parseConfig,
  parseManifest,
} from "./manifest.ts";
import { parseImageReference } from "./reference.ts";

/** One layer, to be unpacked: what it will be, and how to get at it. */
export interface LayerSource {
  /** Of the layer as the source has it; absent where the source names none. */
  digest?: Digest;
  diffId: Digest;
  /** Brings the layer's bytes here, to be released by the caller. */
  fetch(signal: AbortSignal): Promise<FetchedLayer>;
}

export interface FetchedLayer {
  part: FilePart;
  /** `used`: unpacked. `useless`: not what it should be. `kept`: a later try may want it. */
  release(how: "used" | "useless" | "kept"): Promise<void>;
}

/** A layer that was here before and stays. */
function localLayer(part: FilePart): FetchedLayer {
  return { part, release: async () => {} };
}

/** An image, found and read up to its layers; from a registry or an archive. */
export interface ImageSource {
  id: Digest;
  config: ConfigBlob;
  layers: LayerSource[];
  sizeBytes: number;
  /** Of the manifest and of every index on the way to it, the first one found first. */
  manifestDigests: Digest[];
}

/** Content by digest, whole and verified. */
export type FetchManifest = (digest: Digest) => Promise<Buffer>;

/** Goes down from a first manifest to this platform's. */
export async function descend(
  first: { bytes: Buffer; digest: Digest },
  platform: Platform,
  fetch: FetchManifest,
): Promise<{ manifest: Extract<Manifest, { kind: "image" }>; digests: Digest[]; sizeBytes: number }> {
  const digests = [first.digest];
  let bytes = first.bytes;
  for (;;) {
    const manifest = parseManifest(bytes);
    if (manifest.kind === "image") return { manifest, digests, sizeBytes: bytes.length };
    if (digests.length > indexDepthMax) throw new ManifestError("too many indexes in one another");
    const { digest } = chooseManifest(manifest.manifests, platform);
    bytes = await fetch(digest);
    digests.push(digest);
  }
}

/** The config and the layers must fit each other and this machine. @throws ManifestError */
export function checkConfig(config: ConfigBlob, layers: number, platform: Platform): void {
  if (config.diffIds.length !== layers) {
    throw new ManifestError(
      `mismatched image rootfs and manifest layers: ${config.diffIds.length} and ${layers}`,
    );
  }
  const isForeign =
    (config.os !== undefined && config.os !== platform.os) ||
    (config.architecture !== undefined && config.architecture !== platform.architecture);
  if (isForeign) {
    throw new ManifestError(
      `no match for platform in manifest: the image is for ${formatPlatform(config)}, this machine is ${formatPlatform(platform)}`,
    );
  }
}

/** An image in an archive, with the names that the archive gives it. */
export interface ArchivedImage {
  source: ImageSource;
  names: string[];
}

/**
 * The images of an OCI layout or of what `docker save` writes; where the archive is both, the layout's index decides.
 *
 * @throws ManifestError
 */
export async function imagesInArchive(tree: FileTree, platform: Platform): Promise<ArchivedImage[]> {
  const index = await tree.find("index.json");
  if (index && (await tree.find("oci-layout"))) return ociImages(tree, index, platform);
  const manifest = await tree.find("manifest.json");
  if (manifest) return dockerImages(tree, manifest, platform);
  throw new ManifestError(
    "neither an OCI image layout (oci-layout, index.json) nor a docker archive (manifest.json)",
  );
}

async function ociImages(tree: FileTree, index: FilePart, platform: Platform): Promise<ArchivedImage[]> {
  const top = parseManifest(await readPart(index, manifestBytesMax));
  if (top.kind !== "index") throw new ManifestError("invalid OCI layout: index.json is no index");
  const fetch = async (digest: Digest) => verified(await blobPart(tree, digest), digest, manifestBytesMax);
  const byDigest = new Map<Digest, ArchivedImage>();
  const entries = top.manifests.filter(
    (entry) => entry.annotations?.["vnd.docker.reference.type"] === undefined,
  );
  // A layout of one image for several platforms may list them at the top.
  const chosen =
    entries.every((entry) => entry.platform !== undefined && !nameOf(entry)) && entries.length > 1;
  for (const entry of chosen ? [chooseManifest(entries, platform)] : entries) {
    const known = byDigest.get(entry.digest);
    const name = nameOf(entry);
    if (known) {
      if (name) known.names.push(name);
      continue;
    }
    const first = { bytes: await fetch(entry.digest), digest: entry.digest };
    const { manifest, digests, sizeBytes } = await descend(first, platform, fetch);
    const bytes = verified(
      await blobPart(tree, manifest.config.digest),
      manifest.config.digest,
      configBytesMax,
    );
    const config = parseConfig(await bytes);
    checkConfig(config, manifest.layers.length, platform);
    const layers = manifest.layers.map((layer, i) => ({
      digest: layer.digest,
      diffId: config.diffIds[i]!,
      fetch: async () => localLayer(await blobPart(tree, layer.digest)),
    }));
    const layerBytes = manifest.layers.reduce((sum, layer) => sum + layer.size, 0);
    const source: ImageSource = {
      id: manifest.config.digest,
      config,
      layers,
      sizeBytes: sizeBytes + manifest.config.size + layerBytes,
      manifestDigests: digests,
    };
    byDigest.set(entry.digest, { source, names: name ? [name] : [] });
  }
  return [...byDigest.values()];
}

/** The name that containerd or docker wrote, else the layout's own annotation where it is a whole name and not a tag alone. */
function nameOf(entry: Descriptor): string | undefined {
  const full = entry.annotations?.["io.containerd.image.name"];
  if (full !== undefined) return full;
  const name = entry.annotations?.["org.opencontainers.image.ref.name"];
  return name !== undefined && /[/:]/.test(name) ? name : undefined;
}

async function blobPart(tree: FileTree, digest: Digest): Promise<FilePart> {
  const part = await tree.find(`blobs/${digest.replace(":", "/")}`);
  if (!part) throw new ManifestError(`the archive lacks blob ${digest}`);
  return part;
}

async function verified(part: FilePart, digest: Digest, bytesMax: number): Promise<Buffer> {
  const bytes = await readPart(part, bytesMax);
  if (!matchesDigest(bytes, digest)) {
    throw new ManifestError(`unexpected digest ${digestOf(bytes)} in the archive, expected ${digest}`);
  }
  return bytes;
}

async function dockerImages(
  tree: FileTree,
  manifest: FilePart,
  platform: Platform,
): Promise<ArchivedImage[]> {
  const entries = JSON.parse((await readPart(manifest, manifestBytesMax)).toString()) as unknown;
  if (!Array.isArray(entries)) throw new ManifestError("invalid docker archive: manifest.json is no list");
  const images: ArchivedImage[] = [];
  for (const entry of entries as { Config?: unknown; RepoTags?: unknown; Layers?: unknown }[]) {
    const layerNames = Array.isArray(entry.Layers) ? entry.Layers.map(String) : [];
    const configPart = await tree.find(String(entry.Config ?? ""));
    if (!configPart) throw new ManifestError("invalid docker archive: an image's config is not there");
    const configBytes = await readPart(configPart, configBytesMax);
    const config = parseConfig(configBytes);
    checkConfig(config, layerNames.length, platform);
    let sizeBytes = configBytes.length;
    const layers: LayerSource[] = [];
    for (const [i, name] of layerNames.entries()) {
      const part = await tree.find(name);
      if (!part)
        throw new ManifestError(`invalid docker archive: layer ${JSON.stringify(name)} is not there`);
      sizeBytes += part.lengthBytes;
      layers.push({ diffId: config.diffIds[i]!, fetch: async () => localLayer(part) });
    }
    const names = Array.isArray(entry.RepoTags) ? entry.RepoTags.map(String) : [];
    images.push({
      source: { id: digestOf(configBytes), config, layers, sizeBytes, manifestDigests: [] },
      names,
    });
  }
  return images;
}

/** `busybox:1.36`, or a bare digest, as canonical names. @throws RuntimeError `InvalidImageName` */
export function canonicalNames(names: readonly string[]) {
  return names.filter((name) => !isDigest(name)).map(parseImageReference);
}
