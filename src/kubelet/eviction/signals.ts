import type { EvictionSignal } from "../config/thresholds.ts";

export type PressureCondition = "MemoryPressure" | "DiskPressure" | "PIDPressure";

/** What is short, in the words of events and messages. */
export type StarvedResource = "memory" | "ephemeral-storage" | "inodes" | "pids";

interface SignalMeaning {
  condition: PressureCondition;
  resource: StarvedResource;
}

const memory: SignalMeaning = { condition: "MemoryPressure", resource: "memory" };
const storage: SignalMeaning = { condition: "DiskPressure", resource: "ephemeral-storage" };
const inodes: SignalMeaning = { condition: "DiskPressure", resource: "inodes" };

const meanings: Readonly<Record<EvictionSignal, SignalMeaning>> = {
  "memory.available": memory,
  "allocatableMemory.available": memory,
  "nodefs.available": storage,
  "nodefs.inodesFree": inodes,
  "imagefs.available": storage,
  "imagefs.inodesFree": inodes,
  "containerfs.available": storage,
  "containerfs.inodesFree": inodes,
  "pid.available": { condition: "PIDPressure", resource: "pids" },
};

export const conditionOf = (signal: EvictionSignal): PressureCondition => meanings[signal].condition;
export const resourceOf = (signal: EvictionSignal): StarvedResource => meanings[signal].resource;
