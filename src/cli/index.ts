export type {
  ClusterModule,
  ClusterOptions,
  ClusterStatus,
  ImageRow,
  Images,
  PodsAtStop,
  RunningCluster,
} from "./cluster.ts";
export type { DemoImages } from "./commands/demo.ts";
export { type CommandContext, showTask } from "./context.ts";
export { type DataDir, dataDir, dataDirDefault } from "./data-dir.ts";
export { exitCodes, UserError } from "./errors.ts";
export { imagesOf } from "./image-rows.ts";
export { findKubectl, unpackKubectl } from "./kubectl.ts";
export { styled, terminal } from "./output.ts";
export { createProgram, explain } from "./program.ts";
