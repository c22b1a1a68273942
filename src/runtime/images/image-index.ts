import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { syncDirectory, writeFileAtomically } from "../../base/index.ts";
import type { Image, ImageConfig } from "../contract.ts";
import type { Digest } from "./digest.ts";

/** What is remembered of an image. */
export interface ImageRecord {
  /** The config's digest. */
  id: Digest;
  repoTags: string[];
  repoDigests: string[];
  /** Every manifest and index that was found to lead here: what makes a pull of an unchanged tag one request. */
  manifestDigests: Digest[];
  /** Of the layers, lowest first. */
  chain: Digest[];
  /** As the registry keeps it: manifest, config and layers. */
  sizeBytes: number;
  config: ImageConfig;
}

interface IndexFile {
  version: 1;
  images: ImageRecord[];
  /** Unpacked sizes, by chain id. */
  layers: Record<Digest, { sizeBytes: number }>;
}

/**
 * The images known here, and the layers that are whole: one file, replaced in one step. What is not in it does not
 * count, whatever lies in the directories.
 */
export class ImageIndex {
  readonly images = new Map<Digest, ImageRecord>();
  readonly layers = new Map<Digest, { sizeBytes: number }>();
  readonly #path: string;
  #writing: Promise<void> | undefined;
  #queued: Promise<void> | undefined;

  private constructor(path: string) {
    this.#path = path;
  }

  /** @throws Error when the file is there and cannot be read as what it was written as. */
  static async open(path: string): Promise<ImageIndex> {
    const index = new ImageIndex(path);
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return index;
      throw error;
    }
    const file = JSON.parse(text) as IndexFile;
    if (file.version !== 1) throw new Error(`${path} was written by another version (${file.version})`);
    for (const record of file.images) index.images.set(record.id, record);
    for (const [chainId, layer] of Object.entries(file.layers)) index.layers.set(chainId, layer);
    return index;
  }

  /** Resolves once what the maps hold now is on disk. Calls that wait for the same write share it. */
  save(): Promise<void> {
    if (!this.#writing) {
      this.#writing = this.#write().finally(() => {
        this.#writing = undefined;
      });
      return this.#writing;
    }
    this.#queued ??= this.#writing
      .catch(() => {})
      .then(() => {
        this.#queued = undefined;
        return this.save();
      });
    return this.#queued;
  }

  async #write(): Promise<void> {
    const file: IndexFile = {
      version: 1,
      images: [...this.images.values()],
      layers: Object.fromEntries(this.layers),
    };
    const text = JSON.stringify(file);
    await writeFileAtomically(this.#path, text, { mode: 0o600 });
    await syncDirectory(dirname(this.#path));
  }
}

/** The record as the contract shows it. */
export function imageOf(record: ImageRecord): Image {
  const { id, repoTags, repoDigests, sizeBytes, config } = record;
  return {
    id,
    repoTags: [...repoTags],
    repoDigests: [...repoDigests],
    sizeBytes,
    user: userOf(config.User),
    config,
  };
}

/** `1000`, `1000:1000`, `nginx`, `nginx:nginx`; without any, root. */
function userOf(text: string | undefined): Image["user"] {
  const user = text?.split(":", 1)[0] ?? "";
  if (user === "") return { uid: 0 };
  return /^\d+$/.test(user) ? { uid: Number(user) } : { name: user };
}

const stringLists = ["Entrypoint", "Cmd", "Env"] as const;
const strings = ["WorkingDir", "User", "StopSignal"] as const;
const maps = ["Volumes", "ExposedPorts", "Labels"] as const;

/** What a container needs of the config blob's `config`; values of other types than theirs are as if absent. */
export function imageConfigOf(config: Record<string, unknown>): ImageConfig {
  const out: Record<string, unknown> = {};
  for (const key of stringLists) {
    const value = config[key];
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) out[key] = value;
  }
  for (const key of strings)
    if (typeof config[key] === "string" && config[key] !== "") out[key] = config[key];
  for (const key of maps) {
    const value = config[key];
    if (typeof value === "object" && value !== null && !Array.isArray(value)) out[key] = value;
  }
  return out as ImageConfig;
}
