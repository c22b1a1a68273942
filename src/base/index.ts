export { assert, InvariantError, unreachable } from "./assert.ts";
export { replaceFile, syncDirectory, writeFileAtomically } from "./atomic-file.ts";
export { type Clock, SteppedClock, SystemClock, type Timer } from "./clock.ts";
export { deepFreeze } from "./deep-freeze.ts";
export { createLifetime } from "./lifetime.ts";
export { createLog, type Log, type LogLevel, silentLog } from "./log.ts";
export { type LoopDelay, LoopDelayMeter } from "./loop-delay.ts";
export { type ProcessStat, readProcessStat, startTicksOf } from "./process-stat.ts";
export { type Random, SeededRandom, SystemRandom } from "./random.ts";
