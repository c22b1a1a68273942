export * from "./contract.ts";
export type { ImageStore } from "./image-store.ts";
export { createOciRuntime, type OciRuntimeOptions, purgeOciRuntime } from "./oci/index.ts";
export * from "./pod-network.ts";
export * from "./simulated/index.ts";
