import { createRequire } from "node:module";
import type { Logger } from "pino";
import { LogDestination } from "./log-destination.ts";

export type Log = Logger;
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** A structured log, one JSON line an entry, on standard error. Each room takes a `child({ room })`. */
export function createLog(level: LogLevel): Log {
  // Loaded only here: it takes as long as the rest of a short command.
  const { pino } = createRequire(import.meta.url)("pino") as typeof import("pino");
  const options = { level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime };
  return pino(options, new LogDestination(2));
}

const nothing = () => {};

/** Says nothing; for tests. */
export const silentLog = {
  level: "silent",
  ...{ trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing, fatal: nothing },
  child: () => silentLog,
} as unknown as Log;
