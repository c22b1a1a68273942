export { type PushTarget, pushLayout } from "./push.ts";
export {
  ensureLocalRegistry,
  type LocalRegistry,
  type LocalRegistryOptions,
  localRegistryStatus,
  stopLocalRegistry,
} from "./registry.ts";
