export * from "./informer.ts";
export * from "./node-api.ts";
export * from "./transport.ts";
export * from "./workqueue.ts";
