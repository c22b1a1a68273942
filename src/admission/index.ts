export * from "./contract.ts";
export { type AdmissionOptions, createAdmissionPlugins } from "./plugins.ts";
export type { PriorityClasses } from "./priority.ts";
export type { Lookup } from "./refuse.ts";
export * from "./resource-quota/index.ts";
