export * from "./field-error.ts";
export * from "./meta.ts";
export { type JsonPatchOperation, jsonPatch, jsonPatchOperationsMax } from "./patch/json-patch.ts";
export { mergePatch } from "./patch/merge-patch.ts";
export { strategicMergePatch } from "./patch/strategic-merge-patch.ts";
export * from "./schema.ts";
export type { SchemaSource } from "./schema-text.ts";
export * from "./status.ts";
