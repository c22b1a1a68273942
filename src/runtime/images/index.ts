export { formatImageReference, type ImageReference, parseImageReference } from "./reference.ts";
export {
  checkRegistriesConfig,
  noRegistriesConfig,
  type RegistriesConfig,
  readRegistriesConfig,
} from "./registries.ts";
export { createImageStore, type ImageStoreOptions, type OpenImageStore } from "./store.ts";
