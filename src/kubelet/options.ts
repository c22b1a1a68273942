import os from "node:os";
import type { corev1 } from "../api/index.ts";
import type { Clock, Log, Random } from "../base/index.ts";
import {
  createClient,
  createEventRecorder,
  createInformerFactory,
  type InformerFactory,
  type Transport,
} from "../client/index.ts";
import type { Runtime } from "../runtime/index.ts";
import { readSecurityModules, type SecurityModules } from "./admission/security-modules.ts";
import type { KubeletConfig } from "./config/fields.ts";
import { defaultConfig } from "./config/read-config.ts";
import { clusterDnsOf, parallelPullsOf } from "./config/settled.ts";
import type { EventSink } from "./events.ts";
import type { UsageSource } from "./eviction/usage.ts";
import type { Mounter } from "./volumes/mounter.ts";
import { CommandMounter } from "./volumes/mounter.ts";

export interface KubeletOptions {
  nodeName: string;
  transport: Transport;
  /** By default an own one; who has one in the same process shares it. */
  informers?: InformerFactory;
  runtime: Runtime;
  /** By default they become Events. */
  events?: EventSink;
  /** Where pods' folders (`pods`), logs (`logs`) and what is kept in memory (`memory`) stand. */
  dir: string;
  clock: Clock;
  random: Random;
  log: Log;
  /** The node's addresses, primary first. By default those of the host. */
  nodeIps?: readonly string[];
  /** The ranges that pods' addresses come from. */
  podCidrs?: readonly string[];
  labels?: Readonly<Record<string, string>>;
  taints?: readonly corev1.Taint[];
  /** The node's settings; upstream's defaults where there are none. */
  config?: KubeletConfig;
  /** The host's resolver configuration, as text. By default that in the file which the settings name. */
  resolvConf?: string;
  /** Where pods reach the API server: KUBERNETES_SERVICE_HOST and the like. */
  kubernetesService?: { host: string; port: number };
  /** The directory of static pods' manifests, unless the settings name another path. */
  manifestsDir?: string;
  /** Where usage is read; by default of the kernel. */
  usage?: UsageSource;
  /** For tests without root. */
  mounter?: Mounter;
  seccompRoot?: string;
  /** Of the kernel; by default as they are found. */
  securityModules?: SecurityModules;
}

/** What was left out, decided. */
export type SettledOptions = ReturnType<typeof settle>;

export function settle(options: KubeletOptions) {
  const { clock, log, random, transport, nodeName } = options;
  const client = createClient(transport);
  const config = options.config ?? defaultConfig();
  return {
    labels: {},
    podCidrs: [],
    taints: [],
    ...options,
    config,
    securityModules: options.securityModules ?? readSecurityModules(),
    clusterDns: clusterDnsOf(config),
    parallelPullsMax: parallelPullsOf(config),
    staticPodPath: config.staticPodPath ?? options.manifestsDir,
    nodeIps: options.nodeIps ?? hostAddresses(),
    mounter: options.mounter ?? new CommandMounter(),
    informers: options.informers ?? createInformerFactory(transport, { clock, log, random }),
    events:
      options.events ??
      createEventRecorder({ client, component: "kubelet", host: nodeName, clock, log, random }),
  };
}

/** The first address that others can reach, or loopback on a machine without network. */
function hostAddresses(): string[] {
  const all = Object.values(os.networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const first = all.find(({ family, internal }) => family === "IPv4" && !internal);
  return [first?.address ?? "127.0.0.1"];
}
