export { createOciRuntime, type OciRuntimeOptions } from "./create.ts";
export { purgeOciRuntime } from "./purge.ts";
