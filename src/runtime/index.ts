export * from "./contract.ts";
export type { ImageStore } from "./image-store.ts";
export * from "./pod-network.ts";
