import type { KubeletConfig } from "../config/fields.ts";
import { defaultConfig } from "../config/read-config.ts";
import { type EvictionSignal, type ThresholdValue, thresholdAmount } from "../config/thresholds.ts";
import { conditionOf, type PressureCondition } from "./signals.ts";
import type { DiskLayout, Observations } from "./usage.ts";

/** Below `value` of a signal pods are evicted: at once, or after it has been so for a while. */
export interface Threshold {
  signal: EvictionSignal;
  value: ThresholdValue;
  /** 0: hard. */
  graceMs: number;
  /** How much more than `value` must be free again. */
  minimumReclaim?: ThresholdValue;
}

export const isHard = ({ graceMs }: Threshold): boolean => graceMs === 0;

/** What is configured. As `pkg/kubelet/eviction/helpers.go`: ParseThresholdConfig and UpdateContainerFsThresholds. */
export function thresholdsOf(config: KubeletConfig, disks: DiskLayout): Threshold[] {
  const hard = config.mergeDefaultEvictionSettings
    ? { ...defaultConfig().evictionHard, ...config.evictionHard }
    : config.evictionHard;
  const configured = [
    ...valuesOf(hard).map(([signal, value]) => ({ signal, value, graceMs: 0 })),
    ...valuesOf(config.evictionSoft).map(([signal, value]) => ({
      signal,
      value,
      graceMs: config.evictionSoftGracePeriod[signal]!.ms,
    })),
  ].map((threshold): Threshold => {
    const minimumReclaim = config.evictionMinimumReclaim[threshold.signal];
    return minimumReclaim ? { ...threshold, minimumReclaim } : threshold;
  });
  return withContainerFs([...configured, ...ofAllocatable(configured, config)], disks);
}

/** What all pods together may use runs short as the node's own memory does. */
function ofAllocatable(configured: readonly Threshold[], config: KubeletConfig): Threshold[] {
  if (!config.enforceNodeAllocatable.includes("pods")) return [];
  return configured
    .filter((threshold) => threshold.signal === "memory.available" && isHard(threshold))
    .map((threshold) => ({ ...threshold, signal: "allocatableMemory.available" }));
}

/** Where containers write is on the images' file system, or the node's: its thresholds are that one's, whatever is said. */
function withContainerFs(thresholds: readonly Threshold[], { imageFs }: DiskLayout): Threshold[] {
  const from = imageFs === "dedicated" ? "imagefs." : "nodefs.";
  const others = thresholds.filter(({ signal }) => !signal.startsWith("containerfs."));
  const same = others
    .filter(({ signal }) => signal.startsWith(from))
    .map((threshold) => ({
      ...threshold,
      signal: threshold.signal.replace(from, "containerfs.") as EvictionSignal,
    }));
  return [...others, ...same];
}

function valuesOf(
  map: Readonly<Record<string, ThresholdValue | undefined>>,
): [EvictionSignal, ThresholdValue][] {
  return Object.entries(map).filter(
    (entry): entry is [EvictionSignal, ThresholdValue] => entry[1] !== undefined,
  );
}

/** Those that are crossed; with `reclaim` those that are not far enough from it again. */
export function crossed(
  thresholds: readonly Threshold[],
  observations: Observations,
  counting: "value" | "reclaim",
): Threshold[] {
  return thresholds.filter(({ signal, value, minimumReclaim }) => {
    const observed = observations.get(signal);
    if (!observed) return false;
    const more =
      counting === "reclaim" && minimumReclaim ? thresholdAmount(minimumReclaim, observed.capacity) : 0;
    return thresholdAmount(value, observed.capacity) + more > observed.available;
  });
}

/** What the manager remembers from one look to the next. All of it may be lost. */
export interface PressureState {
  /** Since when a threshold has been crossed. */
  firstSeenAtMs: ReadonlyMap<Threshold, number>;
  /** When a condition was last the case. */
  conditionSeenAtMs: ReadonlyMap<PressureCondition, number>;
  /** Crossed for long enough, and not yet resolved. */
  met: readonly Threshold[];
  observations: Observations;
  /** What the node says of itself. */
  conditions: readonly PressureCondition[];
}

export const noPressure: PressureState = {
  firstSeenAtMs: new Map(),
  conditionSeenAtMs: new Map(),
  met: [],
  observations: new Map(),
  conditions: [],
};

/** One look: what is remembered from now on, and the thresholds to do something about, the most urgent first. */
export function look(
  before: PressureState,
  thresholds: readonly Threshold[],
  observations: Observations,
  { transitionMs, nowMs }: { transitionMs: number; nowMs: number },
): { state: PressureState; urgent: Threshold[] } {
  const now = crossed(thresholds, observations, "value");
  // What was met counts on until the minimum is reclaimed.
  const unresolved = crossed(before.met, observations, "reclaim");
  const active = [...now, ...unresolved.filter((threshold) => !now.includes(threshold))];

  const firstSeenAtMs = new Map(
    active.map((threshold) => [threshold, before.firstSeenAtMs.get(threshold) ?? nowMs]),
  );
  const conditionSeenAtMs = new Map(before.conditionSeenAtMs);
  for (const { signal } of active) conditionSeenAtMs.set(conditionOf(signal), nowMs);
  const conditions = [...conditionSeenAtMs]
    .filter(([, atMs]) => nowMs - atMs < transitionMs)
    .map(([condition]) => condition)
    .sort();
  const met = active.filter((threshold) => nowMs - firstSeenAtMs.get(threshold)! >= threshold.graceMs);
  const urgent = met
    .filter(({ signal }) => isNewer(signal, observations, before.observations))
    .sort((a, b) => Number(isMemory(b.signal)) - Number(isMemory(a.signal)));
  return { state: { firstSeenAtMs, conditionSeenAtMs, met, observations, conditions }, urgent };
}

const isMemory = (signal: EvictionSignal) =>
  signal === "memory.available" || signal === "allocatableMemory.available";

/** Nothing is done twice for the same measurement. */
function isNewer(signal: EvictionSignal, observations: Observations, before: Observations): boolean {
  const last = before.get(signal);
  return last === undefined || observations.get(signal)!.atMs > last.atMs;
}
