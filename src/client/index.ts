export {
  type CallOptions,
  type Client,
  createClient,
  type ResourceClient,
} from "./client.ts";
export type { EventRecorder, EventTarget } from "./events/event-recorder.ts";
export { createEventRecorder, type EventRecorderOptions } from "./events/recorder.ts";
export { createHttpsTransport, type HttpsTransportOptions } from "./https/https-transport.ts";
export * from "./informer.ts";
export { createInformerFactory, type InformerFactoryOptions } from "./informers/informer-factory.ts";
export * from "./node-api.ts";
export { patchPodStatus } from "./pod-status.ts";
export {
  createWorkqueue,
  type WorkerQueue,
  type WorkqueueMetrics,
  type WorkqueueOptions,
} from "./queue.ts";
export * from "./resources.ts";
export { runWorkers, type WorkersOptions } from "./run-workers.ts";
export * from "./transport.ts";
export * from "./workqueue.ts";
