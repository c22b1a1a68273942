import type { Digest } from "./digest.ts";

/** What the store asks of the unpacking process, and what comes back; one at a time. */
export interface UnpackJob {
  /** The file with the layer, and the part of it that is the layer. */
  source: { path: string; offset: number; lengthBytes: number };
  /** Of the layer as it is in the source. */
  digest?: Digest;
  /** Of the layer's plain tar. */
  diffId: Digest;
  /** An existing, empty directory. */
  target: string;
  /** The directories of the layers below, topmost first. */
  below: string[];
}

export type UnpackResult =
  | { outcome: "done"; sizeBytes: number; warnings: string[] }
  /** `corrupt`: the source is not what its digest says, so fetching it again may help. */
  | { outcome: "corrupt" | "invalid" | "failed"; message: string };
