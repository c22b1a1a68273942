export type { ClusterDns } from "./container/dns.ts";
export type { EventSink, EventTarget } from "./events.ts";
export { createKubelet, type Kubelet } from "./kubelet.ts";
export { kubeletVersion } from "./node/node-object.ts";
export type { KubeletOptions } from "./options.ts";
export { purgeKubelet } from "./purge.ts";
export { CommandMounter, type Mounter } from "./volumes/mounter.ts";
