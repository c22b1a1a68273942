import { mkdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Log } from "../../base/index.ts";
import { type Image, type ImageFsUsage, type RegistryAuth, RuntimeError } from "../contract.ts";
import type { ImageStore } from "../image-store.ts";
import { openFileTree } from "./archive.ts";
import { chainIds, type Digest } from "./digest.ts";
import { Downloads } from "./downloads.ts";
import { ImageIndex, type ImageRecord, imageConfigOf, imageOf } from "./image-index.ts";
import { canonicalNames, type ImageSource, imagesInArchive } from "./image-source.ts";
import { LayerStore } from "./layer-store.ts";
import { ManifestError, platformOf } from "./manifest.ts";
import { Puller, pullFailure } from "./puller.ts";
import {
  formatImageReference,
  type ImageReference,
  parseImageReference,
  repositoryName,
} from "./reference.ts";
import type { RegistriesConfig } from "./registries.ts";
import { RegistryClient } from "./registry-client.ts";
import { abortable } from "./shared-work.ts";

export interface ImageStoreOptions {
  /** Made when it is not there. One process at a time. */
  dir: string;
  clock: Clock;
  log: Log;
  registries: RegistriesConfig;
  /** Of the process: what it says of {@link trustedRoots}. Without it, the host's authorities are trusted. */
  env?: NodeJS.ProcessEnv;
  /** The ids of images that containers (or image volumes) have as their root; those are not removed. */
  inUse?: () => ReadonlySet<string> | Promise<ReadonlySet<string>>;
}

/** The image store with what its owner needs beside the engine's view of it. */
export interface OpenImageStore extends ImageStore {
  pull(name: string, options?: { auth?: RegistryAuth[]; signal?: AbortSignal }): Promise<Image>;
  /**
   * Takes in the images of an OCI layout (a directory or a tar of it) or of a docker archive, gzip'd or not.
   * `tag` names them in place of the archive's own names, and needs the archive to hold just one.
   */
  load(path: string, options?: { tag?: string; signal?: AbortSignal }): Promise<Image[]>;
  close(): Promise<void>;
}

/** A short image id is at least this long; as Docker prints 12. */
const shortIdLengthMin = 4;

/** Opens the images of this machine, and forgets what an earlier process left half done. */
export async function createImageStore(options: ImageStoreOptions): Promise<OpenImageStore> {
  const { dir, clock, log, registries, env = {} } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const index = await ImageIndex.open(join(dir, "images.json"));
  const layers = await LayerStore.open({ dir, index, clock, log });
  const client = new RegistryClient({ clock, config: registries, env });
  const downloads = await Downloads.open({ dir: join(dir, "downloads"), client, clock, log });
  const puller = new Puller({
    client,
    downloads,
    config: registries,
    platform: platformOf(process.arch),
    log,
  });
  return new Store({ dir, log, index, layers, client, puller, inUse: options.inUse ?? (() => new Set()) });
}

interface StoreParts {
  dir: string;
  log: Log;
  index: ImageIndex;
  layers: LayerStore;
  client: RegistryClient;
  puller: Puller;
  inUse: NonNullable<ImageStoreOptions["inUse"]>;
}

interface SharedPull {
  result: Promise<Image>;
  abort: AbortController;
  callers: number;
}

class Store implements OpenImageStore {
  readonly #parts: StoreParts;
  readonly #pulls = new Map<string, SharedPull>();

  constructor(parts: StoreParts) {
    this.#parts = parts;
    // Their directories were taken away from under the store: to be pulled again.
    for (const record of parts.index.images.values()) {
      if (this.#isWhole(record)) continue;
      parts.log.warn(
        { image: record.id, names: record.repoTags },
        "an image's layers are gone; it is forgotten",
      );
      parts.index.images.delete(record.id);
    }
  }

  async status(name: string): Promise<Image | undefined> {
    const record = this.#find(name);
    return record && imageOf(record);
  }

  async list(): Promise<Image[]> {
    return [...this.#parts.index.images.values()].map(imageOf);
  }

  async rootfs(imageId: string): Promise<{ layers: string[]; image: Image }> {
    const record = this.#find(imageId);
    if (!record) throw new RuntimeError("NotFound", `image ${JSON.stringify(imageId)} not found`);
    return { layers: record.chain.map((id) => this.#parts.layers.path(id)), image: imageOf(record) };
  }

  /** Pulls of the same image by the same credentials are one; it goes on while anyone still wants it. */
  async pull(name: string, options: { auth?: RegistryAuth[]; signal?: AbortSignal } = {}): Promise<Image> {
    const reference = parseImageReference(name);
    const { auth = [], signal } = options;
    signal?.throwIfAborted();
    const key = JSON.stringify([formatImageReference(reference), auth]);
    let pull = this.#pulls.get(key);
    if (!pull) {
      const abort = new AbortController();
      const result = this.#pull(reference, auth, abort.signal).finally(() => this.#pulls.delete(key));
      // Everyone may have left by the time it fails.
      result.catch(() => {});
      pull = { result, abort, callers: 0 };
      this.#pulls.set(key, pull);
    }
    pull.callers++;
    try {
      return await abortable(pull.result, signal);
    } finally {
      pull.callers--;
      if (pull.callers === 0) {
        if (this.#pulls.get(key) === pull) this.#pulls.delete(key);
        pull.abort.abort(new RuntimeError("ErrImagePull", `pull of ${JSON.stringify(name)} was given up`));
      }
    }
  }

  async load(path: string, options: { tag?: string; signal?: AbortSignal } = {}): Promise<Image[]> {
    const tag = options.tag === undefined ? undefined : parseImageReference(options.tag);
    if (tag?.digest !== undefined)
      throw new RuntimeError("InvalidArgument", "an image cannot be tagged with a digest");
    const signal = options.signal ?? new AbortController().signal;
    try {
      const tree = await openFileTree(path, this.#parts.layers.temporaryPath(), signal);
      try {
        const found = await imagesInArchive(tree, platformOf(process.arch));
        if (found.length === 0) throw new ManifestError("the archive holds no image");
        if (tag && found.length > 1)
          throw new ManifestError(`the archive holds ${found.length} images, not one to be tagged`);
        const images: Image[] = [];
        for (const { source, names } of found) {
          images.push(await this.#add(source, tag ? [tag] : canonicalNames(names), signal));
        }
        return images;
      } finally {
        await tree.close();
      }
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof RuntimeError) throw error;
      throw new RuntimeError("InvalidArgument", `cannot load ${path}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  async remove(name: string): Promise<void> {
    const { index, layers, inUse } = this.#parts;
    const record = this.#find(name);
    if (!record) return;
    if ((await inUse()).has(record.id)) {
      throw new RuntimeError("InvalidArgument", `image ${JSON.stringify(name)} is in use by a container`);
    }
    index.images.delete(record.id);
    await index.save();
    await layers.removeUnused(record.chain);
  }

  async fsUsage(): Promise<ImageFsUsage> {
    const { dir: folder } = this.#parts;
    const { bsize, blocks, bavail } = await statfs(folder);
    let usedBytes = 0;
    for (const layer of this.#parts.index.layers.values()) usedBytes += layer.sizeBytes;
    return { usedBytes, capacityBytes: blocks * bsize, availableBytes: bavail * bsize, folder };
  }

  async close(): Promise<void> {
    for (const { abort, result } of this.#pulls.values()) {
      abort.abort(new RuntimeError("ErrImagePull", "the image store is closing"));
      await result.catch(() => {});
    }
    this.#parts.client.close();
    this.#parts.layers.close();
  }

  async #pull(reference: ImageReference, auth: readonly RegistryAuth[], signal: AbortSignal): Promise<Image> {
    const { puller } = this.#parts;
    const resolved = await puller.resolve(reference, auth, signal);
    const known = [...this.#parts.index.images.values()].find((record) =>
      record.manifestDigests.includes(resolved.digest),
    );
    if (known) return this.#record(known, known.id, [reference], [resolved.digest]);
    const source = await puller.source(reference, resolved, signal);
    try {
      return await this.#add(source, [reference], signal);
    } catch (error) {
      signal.throwIfAborted();
      throw pullFailure(reference, error as Error);
    }
  }

  /** Brings the layers here, and then the image counts. */
  async #add(source: ImageSource, names: ImageReference[], signal: AbortSignal): Promise<Image> {
    const chain = chainIds(source.config.diffIds);
    const { release } = await this.#parts.layers.ensure(chain, source.layers, signal);
    try {
      const record: ImageRecord = {
        id: source.id,
        repoTags: [],
        repoDigests: [],
        manifestDigests: [],
        chain,
        sizeBytes: source.sizeBytes,
        config: imageConfigOf(source.config.config),
      };
      return await this.#record(record, source.id, names, source.manifestDigests);
    } finally {
      await release();
    }
  }

  /** Gives an image its names (taking them from whoever had them) and saves; nothing to save, nothing is written. */
  async #record(
    fresh: ImageRecord,
    id: Digest,
    names: readonly ImageReference[],
    manifestDigests: readonly Digest[],
  ): Promise<Image> {
    const { images } = this.#parts.index;
    const record = images.get(id) ?? fresh;
    let changed = !images.has(id);
    images.set(id, record);
    const add = (list: string[], item: string) => {
      if (list.includes(item)) return;
      list.push(item);
      changed = true;
    };
    for (const digest of manifestDigests) add(record.manifestDigests, digest);
    for (const name of names) {
      const repository = repositoryName(name);
      // The digest that was asked for and resolved: an index's, where there is one.
      if (manifestDigests[0] !== undefined) add(record.repoDigests, `${repository}@${manifestDigests[0]}`);
      if (name.tag === undefined || name.digest !== undefined) continue;
      const tag = `${repository}:${name.tag}`;
      for (const other of images.values()) {
        if (other !== record) other.repoTags = other.repoTags.filter((had) => had !== tag);
      }
      add(record.repoTags, tag);
    }
    if (changed) await this.#parts.index.save();
    return imageOf(record);
  }

  #isWhole(record: ImageRecord): boolean {
    return record.chain.every((id) => this.#parts.index.layers.has(id));
  }

  #find(name: string): ImageRecord | undefined {
    const { images } = this.#parts.index;
    const exact = images.get(name) ?? images.get(`sha256:${name}`);
    if (exact) return exact;
    return this.#findByReference(name) ?? this.#findByShortId(name);
  }

  #findByReference(name: string): ImageRecord | undefined {
    let reference: ImageReference;
    try {
      reference = parseImageReference(name);
    } catch {
      return undefined;
    }
    const repository = repositoryName(reference);
    const { digest, tag } = reference;
    for (const record of this.#parts.index.images.values()) {
      const has =
        digest !== undefined
          ? record.repoDigests.some((known) => known.startsWith(`${repository}@`)) &&
            record.manifestDigests.includes(digest)
          : record.repoTags.includes(`${repository}:${tag}`);
      if (has) return record;
    }
    return undefined;
  }

  /** A prefix of the id that only one image has. */
  #findByShortId(name: string): ImageRecord | undefined {
    const hex = name.replace(/^sha256:/, "");
    if (hex.length < shortIdLengthMin || !/^[a-f0-9]+$/.test(hex)) return undefined;
    const found = [...this.#parts.index.images.values()].filter(({ id }) => id.startsWith(`sha256:${hex}`));
    return found.length === 1 ? found[0] : undefined;
  }
}
