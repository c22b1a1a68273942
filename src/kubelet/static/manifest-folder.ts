import { type FSWatcher, watch } from "node:fs";
import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { corev1 } from "../../api/index.ts";
import type { Clock, Log, Timer } from "../../base/index.ts";
import { messageOf } from "../worker/start-error.ts";
import { staticPodOf } from "./manifest.ts";

/** As upstream: a manifest larger than this is no manifest. */
const manifestBytesMax = 10 << 20;
/** What changes within this time is looked at once: a file is made, written and closed. */
const settleMs = 20;

export interface ManifestFolderOptions {
  /** A directory, or one file. */
  path: string;
  /** How often to look where the directory cannot be watched, and how long a manifest may be invalid. */
  checkMs: number;
  nodeName: string;
  clock: Clock;
  log: Log;
  /** All static pods there are, by the manifest's path. */
  onPods(pods: ReadonlyMap<string, corev1.Pod>): void;
  onInvalid(path: string, why: string): void;
}

interface Known {
  /** What the file held when it was last looked at; undefined: it could not be read. */
  text: Buffer | undefined;
  /** The last valid pod it held, as long as that counts. */
  pod: corev1.Pod | undefined;
  /** Why it holds none now, and since when. */
  trouble?: { why: string; sinceMs: number };
}

/** The directory of manifests, watched: what is in it is told whenever it may have changed. */
export class ManifestFolder {
  readonly #options: ManifestFolderOptions;
  readonly #path: string;
  readonly #known = new Map<string, Known>();
  #watcher: FSWatcher | undefined;
  #timer: Timer | undefined;
  /** When what is invalid now has been so for too long. */
  #invalidTimer: Timer | undefined;
  #reading: Promise<void> | undefined;
  #isDirty = false;
  #isClosed = false;

  constructor(options: ManifestFolderOptions) {
    this.#options = options;
    this.#path = resolve(options.path);
  }

  /** Resolves when the manifests there are have been told. */
  async start(): Promise<void> {
    const found = await stat(this.#path).catch(() => undefined);
    if (!found) await mkdir(this.#path, { recursive: true, mode: 0o700 }).catch(() => {});
    this.#watch(found?.isFile() ? dirname(this.#path) : this.#path);
    await this.#look();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#invalidTimer?.cancel();
    this.#watcher?.close();
    await this.#reading;
  }

  #watch(dir: string): void {
    try {
      this.#watcher = watch(dir, () => this.#lookAfter(settleMs));
      this.#watcher.on("error", () => this.#lookAfter(this.#options.checkMs));
    } catch (error) {
      this.#options.log.warn(
        { path: dir, error: messageOf(error) },
        "static pods: the directory cannot be watched",
      );
      this.#watcher = undefined;
      this.#lookAfter(this.#options.checkMs);
    }
  }

  #lookAfter(delayMs: number): void {
    if (this.#isClosed) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.#timer = undefined;
      void this.#look();
      if (!this.#watcher) this.#lookAfter(this.#options.checkMs);
    });
  }

  /** Once at a time; what changes meanwhile is looked at afterwards. */
  #look(): Promise<void> {
    this.#isDirty = true;
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readAll(): Promise<void> {
    while (this.#isDirty && !this.#isClosed) {
      this.#isDirty = false;
      try {
        const paths = await this.#paths();
        for (const path of this.#known.keys()) if (!paths.includes(path)) this.#known.delete(path);
        for (const path of paths) await this.#read(path);
        this.#forgetInvalid();
        if (!this.#isClosed) this.#options.onPods(this.#pods());
      } catch (error) {
        this.#options.log.error({ path: this.#path, error: messageOf(error) }, "static pods: reading failed");
        this.#lookAfter(this.#options.checkMs);
      }
    }
  }

  #pods(): ReadonlyMap<string, corev1.Pod> {
    const pods = new Map<string, corev1.Pod>();
    for (const [path, { pod }] of this.#known) if (pod) pods.set(path, pod);
    return pods;
  }

  /** As upstream: in order of their names, none that begins with a dot, no directories. */
  async #paths(): Promise<string[]> {
    const found = await stat(this.#path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (!found) return [];
    if (found.isFile()) return [this.#path];
    const names = (await readdir(this.#path)).filter((name) => !name.startsWith("."));
    return names.sort().map((name) => join(this.#path, name));
  }

  async #read(path: string): Promise<void> {
    const { clock, nodeName } = this.#options;
    const before = this.#known.get(path);
    let text: Buffer | undefined;
    try {
      text = await textOf(path);
      if (before?.text?.equals(text)) return;
      const seenAt = new Date(clock.now()).toISOString();
      this.#known.set(path, { text, pod: staticPodOf(text, { path, nodeName, seenAt }) });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      const why = messageOf(error);
      const sinceMs = before?.trouble?.sinceMs ?? clock.monotonicMs();
      this.#known.set(path, { text, pod: before?.pod, trouble: { why, sinceMs } });
      if (before?.trouble?.why !== why) this.#options.onInvalid(basename(path), why);
    }
  }

  /**
   * A file may be half written: its pod runs on for a moment, as until upstream's next list of the directory. Where the
   * path is one file it runs on until that is valid again, as upstream's does.
   */
  #forgetInvalid(): void {
    const { checkMs, clock, onInvalid } = this.#options;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [path, known] of this.#known) {
      const { pod, trouble } = known;
      if (!pod || !trouble || path === this.#path) continue;
      const leftMs = trouble.sinceMs + checkMs - clock.monotonicMs();
      if (leftMs > 0) {
        nextMs = Math.min(nextMs, leftMs);
        continue;
      }
      known.pod = undefined;
      onInvalid(basename(path), `${trouble.why}; the pod that it held before ends`);
    }
    this.#invalidTimer?.cancel();
    if (Number.isFinite(nextMs) && !this.#isClosed)
      this.#invalidTimer = clock.after(nextMs, () => void this.#look());
  }
}

async function textOf(path: string): Promise<Buffer> {
  const found = await stat(path);
  if (!found.isFile()) throw new Error("it is no file");
  if (found.size > manifestBytesMax) throw new Error(`it is longer than ${manifestBytesMax} bytes`);
  return readFile(path);
}
