import pino, { type Logger } from "pino";

export type Log = Logger;
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** A structured log, one JSON line an entry, on standard error. Each room takes a `child({ room })`. */
export function createLog(level: LogLevel): Log {
  return pino({ level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
}

/** Says nothing; for tests. */
export const silentLog: Log = pino({ level: "silent" });
