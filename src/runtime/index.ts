export * from "./contract.ts";
export * from "./pod-network.ts";
