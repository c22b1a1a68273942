export * from "./kind.ts";
export type * from "./types/index.ts";
