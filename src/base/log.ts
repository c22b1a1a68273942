import { createRequire } from "node:module";
import type { Logger } from "pino";

export type Log = Logger;
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** What a full disk keeps from being written waits; past so many bytes, newer lines are lost. */
const waitingBytesMax = 64 * 2 ** 10;
const retryMs = 250;

/**
 * A structured log, one JSON line an entry, on standard error. Each room takes a `child({ room })`.
 * A line that cannot be written ends nothing, as klog's, and is written when there is room again.
 */
export function createLog(level: LogLevel): Log {
  // Loaded only here: it takes as long as the rest of a short command.
  const { pino } = createRequire(import.meta.url)("pino") as typeof import("pino");
  const destination = pino.destination({ dest: 2, sync: true, maxLength: waitingBytesMax });
  let isRetrying = false;
  const retryLater = () => {
    if (isRetrying) return;
    isRetrying = true;
    setTimeout(() => {
      isRetrying = false;
      try {
        destination.flushSync();
      } catch {
        retryLater();
      }
    }, retryMs).unref();
  };
  destination.on("error", retryLater);
  return pino({ level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

const nothing = () => {};

/** Says nothing; for tests. */
export const silentLog = {
  level: "silent",
  ...{ trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing, fatal: nothing },
  child: () => silentLog,
} as unknown as Log;
