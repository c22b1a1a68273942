import { parseQuantity, type Quantity } from "../../machinery/index.ts";
import {
  duration,
  type Field,
  flag,
  group,
  integer,
  listOf,
  mapOf,
  only,
  percent,
  quantity,
  readQuantity,
  text,
  texts,
  type ValueOf,
} from "./field.ts";
import {
  evictionSignals,
  readGracePeriod,
  readMinimumReclaim,
  readThreshold,
  type ThresholdValue,
} from "./thresholds.ts";

const minuteMs = 60_000;
const day = 24 * 60 * minuteMs;

/** What a person's own disk may hold of other things is no shortage as long as this much is left. */
const enoughStorage = parseQuantity("1Gi");

/** What may be set aside. As upstream's parseResourceList; hugepages and extended resources may not. */
const reservable = ["cpu", "memory", "ephemeral-storage", "pid"];

const reserved = (usedIn?: string) =>
  mapOf<Quantity>({
    default: {},
    keys: reservable,
    read: (value, name) => {
      const amount = readQuantity(value);
      if (amount.value() < 0) throw new Error(`resource quantity for ${name} cannot be negative: ${value}`);
      return amount;
    },
    usedIn,
  });

/**
 * The fields of a KubeletConfiguration that this agent knows, with upstream's names and defaults. Whoever makes one
 * work names the file that obeys it in `usedIn`; until then a configuration that sets it is refused.
 */
export const fields = {
  // The node's size.
  maxPods: integer({ default: 110, min: 0, usedIn: "node/capacity.ts" }),
  podsPerCore: integer({ default: 0, min: 0, usedIn: "node/capacity.ts" }),
  podPidsLimit: integer({ default: -1, usedIn: "pod-services.ts" }),
  kubeReserved: reserved("node/capacity.ts"),
  systemReserved: reserved("node/capacity.ts"),
  kubeReservedCgroup: text({ default: undefined }),
  systemReservedCgroup: text({ default: undefined }),
  /** The cgroups of others on this machine are theirs to limit. */
  enforceNodeAllocatable: texts({
    default: ["pods"],
    oneOf: ["pods", "none"],
    usedIn: "node/shared-limits.ts",
  }),
  /** By default what the kernel can: on cgroup v2 a container that is out of memory is killed as a whole. */
  singleProcessOOMKill: flag({ default: undefined, usedIn: "config/settled.ts" }),
  cpuCFSQuota: flag({ default: true }),
  cpuCFSQuotaPeriod: duration({ defaultMs: 100, minMs: 1, maxMs: 1_000 }),

  // What is given up when the node runs short.
  evictionHard: mapOf<ThresholdValue | undefined>({
    default: {
      "memory.available": { quantity: parseQuantity("100Mi") },
      "nodefs.available": { fraction: 0.1, quantityMax: enoughStorage },
      "nodefs.inodesFree": { fraction: 0.05 },
      "imagefs.available": { fraction: 0.15, quantityMax: enoughStorage },
      "imagefs.inodesFree": { fraction: 0.05 },
    },
    keys: evictionSignals,
    read: readThreshold,
    usedIn: "eviction/thresholds.ts",
  }),
  evictionSoft: mapOf<ThresholdValue | undefined>({
    default: {},
    keys: evictionSignals,
    read: readThreshold,
    usedIn: "eviction/thresholds.ts",
  }),
  evictionSoftGracePeriod: mapOf({
    default: {},
    keys: evictionSignals,
    read: readGracePeriod,
    usedIn: "eviction/thresholds.ts",
  }),
  evictionMinimumReclaim: mapOf({
    default: {},
    keys: evictionSignals,
    read: readMinimumReclaim,
    usedIn: "eviction/thresholds.ts",
  }),
  evictionPressureTransitionPeriod: duration({
    defaultMs: 5 * minuteMs,
    usedIn: "eviction/eviction-manager.ts",
  }),
  evictionMaxPodGracePeriod: integer({ default: 0, min: 0, usedIn: "eviction/eviction-manager.ts" }),
  mergeDefaultEvictionSettings: flag({ default: false, usedIn: "eviction/thresholds.ts" }),

  // Garbage.
  /** By default 85, but see `garbage/README.md`. */
  imageGCHighThresholdPercent: integer({
    default: undefined,
    min: 0,
    max: 100,
    usedIn: "garbage/image-plan.ts",
  }),
  imageGCLowThresholdPercent: percent({ default: 80, usedIn: "garbage/image-plan.ts" }),
  imageMinimumGCAge: duration({ defaultMs: 2 * minuteMs, usedIn: "garbage/image-plan.ts" }),
  imageMaximumGCAge: duration({ defaultMs: 0, maxMs: 3_650 * day, usedIn: "garbage/image-plan.ts" }),
  containerLogMaxSize: quantity({ default: "10Mi", usedIn: "logs/log-rotator.ts" }),
  containerLogMaxFiles: integer({ default: 5, min: 2, usedIn: "logs/log-rotator.ts" }),
  containerLogMaxWorkers: integer({ default: 1, min: 1, usedIn: "logs/log-rotator.ts" }),
  containerLogMonitorInterval: duration({ defaultMs: 10_000, minMs: 3_000, usedIn: "logs/log-rotator.ts" }),

  // The end of the node.
  shutdownGracePeriod: duration({ defaultMs: 0, minMs: 1_000, usedIn: "shutdown/shutdown-plan.ts" }),
  shutdownGracePeriodCriticalPods: duration({
    defaultMs: 0,
    minMs: 1_000,
    usedIn: "shutdown/shutdown-plan.ts",
  }),

  /** In place of the two above: how long each class of pods has. */
  shutdownGracePeriodByPodPriority: listOf({
    fields: {
      priority: integer({ default: 0, usedIn: "shutdown/shutdown-plan.ts" }),
      shutdownGracePeriodSeconds: integer({ default: 0, min: 0, usedIn: "shutdown/shutdown-plan.ts" }),
    },
    usedIn: "shutdown/shutdown-plan.ts",
  }),

  // Pods.
  /** Where it is not given, the data directory's `manifests/`. */
  fileCheckFrequency: duration({ defaultMs: 20_000, minMs: 1_000, usedIn: "kubelet.ts" }),
  staticPodPath: text({ default: undefined, usedIn: "options.ts" }),
  allowedUnsafeSysctls: texts({ default: [], usedIn: "kubelet.ts" }),
  crashLoopBackOff: group({
    maxContainerRestartPeriod: duration({
      defaultMs: 300_000,
      minMs: 1_000,
      maxMs: 300_000,
      usedIn: "pod-services.ts",
    }),
  }),
  userNamespaces: group({
    idsPerPod: integer({ default: 65_536, min: 65_536, max: 2 ** 32 - 1, usedIn: "pod-services.ts" }),
  }),

  // Images.
  /** Given neither, four are pulled at a time, where upstream's default is one. */
  serializeImagePulls: flag({ default: false, usedIn: "config/settled.ts" }),
  maxParallelImagePulls: integer({ default: undefined, min: 1, usedIn: "config/settled.ts" }),

  // Names.
  clusterDNS: texts({ default: [], usedIn: "config/settled.ts" }),
  clusterDomain: text({ default: "cluster.local", usedIn: "config/settled.ts" }),
  resolvConf: text({ default: "/etc/resolv.conf", usedIn: "config/settled.ts" }),

  // What is done in one way only, which a configuration may say.
  cgroupDriver: only("cgroupfs"),
  cgroupsPerQOS: only(true),
  cpuManagerPolicy: only("none"),
  memoryManagerPolicy: only("None"),
  topologyManagerPolicy: only("none"),
  configMapAndSecretChangeDetectionStrategy: only("Watch"),
  failCgroupV1: only(false),
  /** Memory is looked at before it can have run out: see `eviction/pace.ts`. */
  kernelMemcgNotification: only(false),
  failSwapOn: only(false),
  registerNode: only(true),
  /** Unlike upstream's: a pod that says nothing has the runtime's profile. */
  seccompDefault: flag({ default: true, usedIn: "pod-services.ts" }),
} satisfies Record<string, Field<unknown>>;

/** A whole configuration: every field has a value. */
export type KubeletConfig = { readonly [K in keyof typeof fields]: ValueOf<(typeof fields)[K]> };
