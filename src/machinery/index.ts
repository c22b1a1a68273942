export * from "./field-error.ts";
export * from "./meta.ts";
export * from "./schema.ts";
export type { SchemaSource } from "./schema-text.ts";
export * from "./status.ts";
