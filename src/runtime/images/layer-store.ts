import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Log } from "../../base/index.ts";
import { type Digest, digestOf } from "./digest.ts";
import type { ImageIndex } from "./image-index.ts";
import type { FetchedLayer, LayerSource } from "./image-source.ts";
import { ManifestError } from "./manifest.ts";
import { SharedWork } from "./shared-work.ts";
import { Unpacker } from "./unpacker.ts";

/** As containerd's default for one image. */
const fetchesMax = 3;
/** Enough of the chain id that no two are alike, and short: an overlay mount names every layer in one page. */
const directoryNameLength = 32;
/** A blob that proves corrupt is fetched once more. */
const fetchTriesMax = 2;

/**
 * Unpacked layers, one directory for each chain id, shared by all images that have it.
 *
 * - A directory under `layers/` is whole: it is made elsewhere and renamed. It counts once the index lists it.
 * - What nothing counts is removed at `open`.
 */
export class LayerStore {
  readonly #dir: string;
  readonly #index: ImageIndex;
  readonly #unpacker: Unpacker;
  readonly #log: Log;
  /** Chain ids that pulls under way rely on. */
  readonly #pins = new Map<Digest, number>();
  readonly #shared = new SharedWork();
  /** No name that an earlier process may have left. */
  readonly #temporaryPrefix: string;
  #temporaries = 0;

  private constructor(options: { dir: string; index: ImageIndex; clock: Clock; log: Log }) {
    this.#dir = options.dir;
    this.#index = options.index;
    this.#unpacker = new Unpacker({ clock: options.clock });
    this.#log = options.log;
    this.#temporaryPrefix = options.clock.now().toString(36);
  }

  static async open(options: {
    dir: string;
    index: ImageIndex;
    clock: Clock;
    log: Log;
  }): Promise<LayerStore> {
    const store = new LayerStore(options);
    await mkdir(join(options.dir, "layers"), { recursive: true, mode: 0o700 });
    await mkdir(join(options.dir, "tmp"), { recursive: true, mode: 0o700 });
    await store.#sweep();
    return store;
  }

  path(chainId: Digest): string {
    return join(this.#dir, "layers", directoryName(chainId));
  }

  /** Where something may be written that is not to outlast the process. */
  temporaryPath(): string {
    return join(this.#dir, "tmp", `${this.#temporaryPrefix}-${this.#temporaries++}`);
  }

  close(): void {
    this.#unpacker.close();
  }

  /**
   * Makes all layers of `chain` be here, lowest first. They stay until `release`, which the caller calls once its image
   * is in the index, or will not be.
   */
  async ensure(
    chain: readonly Digest[],
    sources: readonly LayerSource[],
    signal: AbortSignal,
  ): Promise<{ release: () => Promise<void> }> {
    for (const id of chain) this.#pins.set(id, (this.#pins.get(id) ?? 0) + 1);
    const release = async () => {
      for (const id of chain) {
        const left = this.#pins.get(id)! - 1;
        if (left > 0) this.#pins.set(id, left);
        else this.#pins.delete(id);
      }
      await this.removeUnused(chain);
    };
    try {
      await this.#bring(chain, sources, signal);
      return { release };
    } catch (error) {
      await release();
      throw error;
    }
  }

  /** Removes those of `chain` that neither an image nor a pull under way needs. */
  async removeUnused(chain: readonly Digest[]): Promise<void> {
    const used = new Set<Digest>(this.#pins.keys());
    for (const image of this.#index.images.values()) for (const id of image.chain) used.add(id);
    const unused = chain.filter((id) => !used.has(id) && this.#index.layers.has(id));
    if (unused.length === 0) return;
    for (const id of unused) this.#index.layers.delete(id);
    await this.#index.save();
    for (const id of unused) await this.#removeDirectory(this.path(id));
  }

  /** Starts the fetches, a few at a time and in order, and unpacks each layer as soon as it and all below it are there. */
  async #bring(
    chain: readonly Digest[],
    sources: readonly LayerSource[],
    signal: AbortSignal,
  ): Promise<void> {
    const missing = chain.flatMap((id, i) => (this.#index.layers.has(id) ? [] : [i]));
    const failed = new AbortController();
    const both = AbortSignal.any([signal, failed.signal]);
    const fetches = new Limiter(fetchesMax);
    let below: Promise<unknown> = Promise.resolve();
    const all: Promise<void>[] = [];
    for (const i of missing) {
      const lower = below;
      const work = async () => {
        const fetched = fetches.run(() => sources[i]!.fetch(both));
        try {
          await lower;
        } catch (error) {
          fetched.then((layer) => layer.release("kept")).catch(() => {});
          throw error;
        }
        await this.#unpack(chain, i, sources[i]!, fetched, both);
      };
      const done = this.#shared.run(chain[i]!, () => this.#index.layers.has(chain[i]!), work, both);
      below = done;
      all.push(done);
    }
    try {
      await Promise.all(all);
    } catch (error) {
      failed.abort(error);
      await Promise.allSettled(all);
      throw error;
    }
  }

  async #unpack(
    chain: readonly Digest[],
    i: number,
    source: LayerSource,
    firstFetch: Promise<FetchedLayer>,
    signal: AbortSignal,
  ): Promise<void> {
    const below = chain
      .slice(0, i)
      .map((id) => this.path(id))
      .reverse();
    let layer = await firstFetch;
    for (let tries = 1; ; tries++) {
      const result = await this.#unpackOnce(layer, source, below, signal);
      if (result.outcome === "done") {
        for (const warning of result.warnings) this.#log.warn({ layer: source.diffId }, warning);
        await this.#commit(chain[i]!, result.target, result.sizeBytes);
        await layer.release("used");
        return;
      }
      await layer.release(result.outcome === "failed" ? "kept" : "useless");
      if (result.outcome !== "corrupt") {
        throw new ManifestError(`failed to extract layer ${source.diffId}: ${result.message}`);
      }
      if (tries === fetchTriesMax) {
        throw new ManifestError(`failed commit on ref "layer-${source.digest}": ${result.message}`);
      }
      layer = await source.fetch(signal);
    }
  }

  /** What does not become a layer is removed again. */
  async #unpackOnce(layer: FetchedLayer, source: LayerSource, below: string[], signal: AbortSignal) {
    const target = this.temporaryPath();
    let isDone = false;
    try {
      await mkdir(target, { mode: 0o755 });
      const { digest, diffId } = source;
      const job = { source: layer.part, diffId, target, below, ...(digest !== undefined && { digest }) };
      const result = await this.#unpacker.unpack(job, signal);
      isDone = result.outcome === "done";
      return { ...result, target };
    } catch (error) {
      await layer.release("kept");
      throw error;
    } finally {
      if (!isDone) await rm(target, { recursive: true, force: true });
    }
  }

  async #commit(chainId: Digest, target: string, sizeBytes: number): Promise<void> {
    const path = this.path(chainId);
    // Left by a crash between the rename and the index: whole, but nobody's.
    await this.#removeDirectory(path);
    await rename(target, path);
    this.#index.layers.set(chainId, { sizeBytes });
  }

  async #removeDirectory(path: string): Promise<void> {
    const grave = this.temporaryPath();
    try {
      await rename(path, grave);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    await rm(grave, { recursive: true, force: true });
  }

  /** Removes what an earlier process left. The content goes in the background: start-up does not wait for it. */
  async #sweep(): Promise<void> {
    const counted = new Set([...this.#index.layers.keys()].map(directoryName));
    const layers = await readdir(join(this.#dir, "layers"));
    const present = new Set(layers);
    for (const id of this.#index.layers.keys()) {
      if (!present.has(directoryName(id))) this.#index.layers.delete(id);
    }
    const garbage = (await readdir(join(this.#dir, "tmp"))).map((name) => join(this.#dir, "tmp", name));
    for (const name of layers) {
      if (counted.has(name)) continue;
      const grave = this.temporaryPath();
      await rename(join(this.#dir, "layers", name), grave);
      garbage.push(grave);
    }
    for (const path of garbage) {
      rm(path, { recursive: true, force: true }).catch((error) =>
        this.#log.warn({ err: error, path }, "not removed"),
      );
    }
  }
}

function directoryName(chainId: Digest): string {
  return digestOf(chainId).slice("sha256:".length, "sha256:".length + directoryNameLength);
}

/** Runs at most so many at once, in order. */
class Limiter {
  readonly #max: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(max: number) {
    this.#max = max;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#max) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}
