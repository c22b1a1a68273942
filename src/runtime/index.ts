export * from "./contract.ts";
export {
  type CriRuntimeOptions,
  type CriServer,
  type CriServerOptions,
  createCriRuntime,
  serveCri,
} from "./cri/index.ts";
export * from "./dialer.ts";
export { openDialer } from "./dialers/open-dialer.ts";
export type { ImageStore } from "./image-store.ts";
export {
  createImageStore,
  type ImageStoreOptions,
  type OpenImageStore,
  type RegistriesConfig,
  readRegistriesConfig,
} from "./images/index.ts";
export { imagesInUse } from "./images-in-use.ts";
export * from "./linux/index.ts";
export { unmountBelow } from "./linux/unmount-below.ts";
export { createOciRuntime, type OciRuntimeOptions, purgeOciRuntime } from "./oci/index.ts";
export * from "./pod-network.ts";
export * from "./simulated/index.ts";
