import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Log, Timer } from "../../base/index.ts";
import type { FetchedLayer } from "./image-source.ts";
import type { Descriptor } from "./manifest.ts";
import type { RegistryClient, Repository } from "./registry-client.ts";
import { SharedWork } from "./shared-work.ts";

/** What a failed pull brought so far is kept for its retry; kubelet's back-off between them is at most 5 minutes. */
const partialKeptMs = 10 * 60_000;

interface Blob {
  users: number;
  isWhole: boolean;
  removal?: Timer;
}

export interface DownloadsOptions {
  dir: string;
  client: RegistryClient;
  clock: Clock;
  log: Log;
}

/** Blobs on their way from a registry to the unpacking process, each fetched once however many images want it. */
export class Downloads {
  readonly #dir: string;
  readonly #client: RegistryClient;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #blobs = new Map<string, Blob>();
  readonly #shared = new SharedWork();

  private constructor(options: DownloadsOptions) {
    this.#dir = options.dir;
    this.#client = options.client;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Forgets what an earlier process had half of. */
  static async open(options: DownloadsOptions): Promise<Downloads> {
    await mkdir(options.dir, { recursive: true, mode: 0o700 });
    for (const name of await readdir(options.dir)) await rm(join(options.dir, name), { force: true });
    return new Downloads(options);
  }

  async fetch(from: Repository, descriptor: Descriptor, signal: AbortSignal): Promise<FetchedLayer> {
    const { digest, size } = descriptor;
    const path = join(this.#dir, digest.replace(":", "-"));
    const blob = this.#blobs.get(digest) ?? { users: 0, isWhole: false };
    this.#blobs.set(digest, blob);
    blob.users++;
    blob.removal?.cancel();
    const release = async (how: "used" | "useless" | "kept") => {
      blob.users--;
      if (how === "useless") blob.isWhole = false;
      if (how === "useless" || (how === "used" && blob.users === 0)) await rm(path, { force: true });
      if (how === "used" && blob.users === 0) this.#blobs.delete(digest);
      else if (blob.users === 0) this.#removeLater(digest, path, blob);
    };
    const work = async () => {
      await this.#client.download(from, descriptor, path, signal);
      blob.isWhole = true;
    };
    try {
      await this.#shared.run(digest, () => blob.isWhole, work, signal);
    } catch (error) {
      await release("kept");
      throw error;
    }
    return { part: { path, offset: 0, lengthBytes: size }, release };
  }

  #removeLater(digest: string, path: string, blob: Blob): void {
    blob.removal = this.#clock.after(partialKeptMs, () => {
      this.#blobs.delete(digest);
      rm(path, { force: true }).catch((error) => this.#log.warn({ err: error, path }, "not removed"));
    });
  }
}
