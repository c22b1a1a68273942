import { parseQuantity, type Quantity } from "../../machinery/index.ts";
import { type Duration, parseDuration } from "./duration.ts";

/** As `pkg/kubelet/eviction/api`: what may run short on a node. */
export const evictionSignals = [
  "memory.available",
  "nodefs.available",
  "nodefs.inodesFree",
  "imagefs.available",
  "imagefs.inodesFree",
  "containerfs.available",
  "containerfs.inodesFree",
  "allocatableMemory.available",
  "pid.available",
] as const;

export type EvictionSignal = (typeof evictionSignals)[number];

/** An amount, or a part of what there is. */
export type ThresholdValue =
  | { quantity: Quantity }
  | {
      fraction: number;
      /** It is never more than this. Only in defaults of Peapod's own. */
      quantityMax?: Quantity;
    };

/** `500Mi` or `10%`; undefined for `0%` and `100%`, which switch a threshold off. */
export function readThreshold(value: string, signal: string): ThresholdValue | undefined {
  if (value.endsWith("%")) {
    if (value === "0%" || value === "100%") return undefined;
    return { fraction: readFraction(value, signal) };
  }
  const quantity = quantityOf(value, signal);
  if (quantity.value() <= 0) throw new Error(`eviction threshold ${signal} must be positive: ${value}`);
  return { quantity };
}

export function readMinimumReclaim(value: string, signal: string): ThresholdValue {
  if (value.endsWith("%")) {
    const fraction = readFraction(value, signal);
    if (fraction === 0)
      throw new Error(`eviction percentage minimum reclaim ${signal} must be positive: ${value}`);
    return { fraction };
  }
  const quantity = quantityOf(value, signal);
  if (quantity.value() < 0) throw new Error(`negative eviction minimum reclaim specified for ${signal}`);
  return { quantity };
}

export function readGracePeriod(value: string): Duration {
  const period = parseDuration(value);
  if (!period) throw new Error(`"${value}" is no duration`);
  if (period.ms < 0)
    throw new Error(`invalid eviction grace period specified: ${value}, must be a positive value`);
  return period;
}

function readFraction(value: string, signal: string): number {
  const percentage = Number(value.slice(0, -1));
  if (value === "%" || !Number.isFinite(percentage))
    throw new Error(`${signal}: "${value}" is no percentage`);
  if (percentage < 0) throw new Error(`eviction percentage threshold ${signal} must be >= 0%: ${value}`);
  if (percentage > 100) throw new Error(`eviction percentage threshold ${signal} must be <= 100%: ${value}`);
  return percentage / 100;
}

function quantityOf(value: string, signal: string): Quantity {
  try {
    return parseQuantity(value);
  } catch {
    throw new Error(`${signal}: "${value}" is no quantity`);
  }
}

/** How much of `capacity` a threshold is. */
export function thresholdAmount(value: ThresholdValue, capacity: number): number {
  if ("quantity" in value) return value.quantity.value();
  // As upstream, whose percentages are of single precision.
  const amount = Math.trunc(capacity * Math.fround(value.fraction));
  return value.quantityMax ? Math.min(amount, value.quantityMax.value()) : amount;
}
