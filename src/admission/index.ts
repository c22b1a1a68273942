export * from "./contract.ts";
export { type AdmissionOptions, createAdmissionPlugins } from "./plugins.ts";
export type { PodPriority, PriorityClasses } from "./priority.ts";
export type { Lookup } from "./refuse.ts";
