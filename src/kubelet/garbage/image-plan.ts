import type { KubeletConfig } from "../config/fields.ts";

/* What image garbage collection decides, purely. As `pkg/kubelet/images/image_gc_manager.go`. */

export interface ImageGcPolicy {
  highPercent: number;
  lowPercent: number;
  minimumAgeMs: number;
  /** 0: no image is too old. */
  maximumAgeMs: number;
  /** As long as this is free, nothing is short, however full the disk. */
  enoughBytes: number;
}

/** As upstream's defaults. */
const highPercentDefault = 85;
/** A disk that others fill: pods have room for another image or two. */
const enoughBytesDefault = 10 * 2 ** 30;

export function imageGcPolicyOf(config: KubeletConfig): ImageGcPolicy {
  return {
    highPercent: config.imageGCHighThresholdPercent ?? highPercentDefault,
    lowPercent: config.imageGCLowThresholdPercent,
    minimumAgeMs: config.imageMinimumGCAge.ms,
    maximumAgeMs: config.imageMaximumGCAge.ms,
    enoughBytes:
      config.imageGCHighThresholdPercent === undefined ? enoughBytesDefault : Number.POSITIVE_INFINITY,
  };
}

/** Upstream's way to switch it off. */
export const isOff = ({ highPercent, maximumAgeMs }: ImageGcPolicy): boolean =>
  highPercent === 100 && maximumAgeMs === 0;

export interface ImageRecord {
  id: string;
  sizeBytes: number;
  pinned: boolean;
  firstSeenAtMs: number;
  /** 0: never, as far as is known. */
  lastUsedAtMs: number;
}

/** In the order in which they go: used longest ago, and of those seen first. Those in use and pinned do not. */
export function inRemovalOrder(records: readonly ImageRecord[], inUse: ReadonlySet<string>): ImageRecord[] {
  return records
    .filter(({ id, pinned }) => !pinned && !inUse.has(id))
    .sort((a, b) => a.lastUsedAtMs - b.lastUsedAtMs || a.firstSeenAtMs - b.firstSeenAtMs);
}

/** Those that were not used for too long, once the agent has run for long enough to know. */
export function tooOld(
  candidates: readonly ImageRecord[],
  { maximumAgeMs }: ImageGcPolicy,
  { nowMs, startedAtMs }: { nowMs: number; startedAtMs: number },
): ImageRecord[] {
  if (maximumAgeMs === 0 || nowMs - startedAtMs <= maximumAgeMs) return [];
  return candidates.filter(({ lastUsedAtMs }) => nowMs - lastUsedAtMs > maximumAgeMs);
}

/** Those that may go for space: one that was just pulled is about to be used. */
export const isOfAge = ({ firstSeenAtMs }: ImageRecord, { minimumAgeMs }: ImageGcPolicy, nowMs: number) =>
  nowMs - firstSeenAtMs >= minimumAgeMs;

/** How much must be freed; undefined as long as nothing is short. */
export function shortage(
  policy: ImageGcPolicy,
  { availableBytes, capacityBytes }: { availableBytes: number; capacityBytes: number },
): { usedPercent: number; freeBytes: number } | undefined {
  const available = Math.min(availableBytes, capacityBytes);
  const usedPercent = 100 - Math.trunc((available * 100) / capacityBytes);
  if (usedPercent < policy.highPercent || available >= policy.enoughBytes) return undefined;
  return {
    usedPercent,
    freeBytes: Math.trunc((capacityBytes * (100 - policy.lowPercent)) / 100) - available,
  };
}

const units = ["KiB", "MiB", "GiB", "TiB"];

export function formatSize(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), units.length);
  return `${(bytes / 1_024 ** power).toFixed(1)} ${units[power - 1]}`;
}
