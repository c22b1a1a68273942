export { builtinSchemas } from "./builtin-schemas.ts";
export * from "./kind.ts";
export type * from "./types/index.ts";
