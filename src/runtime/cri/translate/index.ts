export * from "./container.ts";
export * from "./image.ts";
export * from "./resources.ts";
export * from "./sandbox.ts";
export { namespacesFromCri } from "./security.ts";
export * from "./stats.ts";
export { fromNs, toNs } from "./time.ts";
