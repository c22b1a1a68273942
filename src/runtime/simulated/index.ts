export type { Behaviour, Behaviours, ExecResult } from "./behaviour.ts";
export { SimulatedImages } from "./images.ts";
export { type SimulatedOptions, SimulatedRuntime } from "./runtime.ts";
