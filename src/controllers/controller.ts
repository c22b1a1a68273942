import type { Clock, Log, Random } from "../base/index.ts";
import type { Client, EventRecorder, InformerFactory } from "../client/index.ts";
import type { GroupVersionResource } from "../machinery/index.ts";

/**
 * A reconciler: `start` begins its loops, which end with the signal. Each is level-triggered; killed at any
 * instruction and started again, it converges from the store. Counterpart upstream: `pkg/controller/<name>`.
 */
export interface Controller {
  readonly name: string;
  start(signal: AbortSignal): Promise<void>;
}

export interface ControllerContext {
  client: Client;
  informers: InformerFactory;
  /** Each controller tells events under its own name, as upstream: `replicaset-controller`. */
  recorder(component: string): EventRecorder;
  clock: Clock;
  random: Random;
  log: Log;
  /** Every resource the API server stores, for the garbage collector and the namespace controller. */
  resources(): readonly StoredResource[];
  /** The cluster's CA certificate, PEM, published to every namespace. */
  rootCa: string;
}

export interface StoredResource extends GroupVersionResource {
  kind: string;
  namespaced: boolean;
}
