export * from "./contract.ts";
export type { ImageStore } from "./image-store.ts";
export * from "./linux/index.ts";
export {
  createImageStore,
  type ImageStoreOptions,
  type OpenImageStore,
  type RegistriesConfig,
  readRegistriesConfig,
} from "./images/index.ts";
export { createOciRuntime, type OciRuntimeOptions, purgeOciRuntime } from "./oci/index.ts";
export * from "./pod-network.ts";
export * from "./simulated/index.ts";
