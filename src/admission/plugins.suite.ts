import assert from "node:assert/strict";
import type { corev1, nodev1, schedulingv1, storagev1 } from "../api/index.ts";
import type { UserInfo } from "../auth/index.ts";
import { SeededRandom, SteppedClock } from "../base/index.ts";
import { type KubeObject, StatusError } from "../machinery/index.ts";
import type { AdmissionRequest } from "./contract.ts";
import { createAdmissionPlugins } from "./plugins.ts";

/*
 * For the tests of this room: all plugins, as a server asks them, over a cluster made of literals.
 */

const person: UserInfo = { name: "ann", groups: ["system:authenticated"] };
export const nodeUser: UserInfo = {
  name: "system:node:n1",
  groups: ["system:nodes", "system:authenticated"],
};

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) for (const child of Object.values(value)) frozen(child);
  return Object.freeze(value);
}

interface Cluster {
  namespaces: Record<string, object>;
  accounts: Record<string, object>;
  pods: Record<string, object>;
  nodes: Record<string, object>;
  priorityClasses: schedulingv1.PriorityClass[];
  limitRanges: object[];
  quotas: object[];
  writeQuota(quota: corev1.ResourceQuota): Promise<unknown>;
  runtimeClasses: nodev1.RuntimeClass[];
  storageClasses: storagev1.StorageClass[];
}

export const priorityClass = (
  name: string,
  value: number,
  more: object = {},
): schedulingv1.PriorityClass => ({
  apiVersion: "scheduling.k8s.io/v1",
  kind: "PriorityClass",
  metadata: { name },
  value,
  preemptionPolicy: "PreemptLowerPriority",
  ...more,
});

export function cluster(more: Partial<Cluster> = {}) {
  const state: Cluster = {
    namespaces: { default: { metadata: { name: "default" }, status: { phase: "Active" } } },
    accounts: { "default/default": { metadata: { name: "default" } } },
    pods: {
      "default/mine": { metadata: { uid: "p1" }, spec: { nodeName: "n1" } },
      "default/other": { metadata: { uid: "p2" }, spec: { nodeName: "n2" } },
    },
    nodes: { n1: { metadata: { name: "n1", uid: "u1" } } },
    priorityClasses: [priorityClass("system-node-critical", 2_000_001_000)],
    limitRanges: [],
    runtimeClasses: [
      {
        apiVersion: "node.k8s.io/v1",
        kind: "RuntimeClass",
        metadata: { name: "heavy" },
        handler: "heavy",
        overhead: { podFixed: { cpu: "1" } },
      },
    ],
    quotas: [],
    writeQuota: async (quota) => {
      state.quotas = state.quotas.map((each: any) =>
        each.metadata.uid === quota.metadata.uid ? quota : each,
      );
    },
    storageClasses: [],
    ...more,
  };
  const clock = new SteppedClock();
  const plugins = createAdmissionPlugins({
    clock,
    random: new SeededRandom(1),
    getNamespace: (name) => state.namespaces[name] as corev1.Namespace,
    getServiceAccount: (namespace, name) => state.accounts[`${namespace}/${name}`] as corev1.ServiceAccount,
    getPod: (namespace, name) => state.pods[`${namespace}/${name}`] as corev1.Pod,
    getRuntimeClass: (name) => state.runtimeClasses.find(({ metadata }) => metadata.name === name),
    podsIn: (namespace) =>
      Object.entries(state.pods).flatMap(([key, each]) =>
        key.startsWith(`${namespace}/`) ? [each as corev1.Pod] : [],
      ),
    getNode: (name) => state.nodes[name] as corev1.Node,
    priorityClasses: {
      get: (name) => state.priorityClasses.find(({ metadata }) => metadata.name === name),
      defaults: () => state.priorityClasses,
    },
    storageClasses: {
      get: (name) => state.storageClasses.find(({ metadata }) => metadata.name === name),
      all: () => state.storageClasses,
    },
    quotasIn: () => state.quotas as corev1.ResourceQuota[],
    writeQuotaStatus: (quota) => state.writeQuota(quota),
    limitRangesIn: () => state.limitRanges as corev1.LimitRange[],
  });
  /** As the server does it: what lies below the object's first level may be the stored object's. */
  async function admit(given: Partial<AdmissionRequest>): Promise<any> {
    const object = given.object && { ...frozen(given.object) };
    const request: AdmissionRequest = {
      operation: "CREATE",
      kind: { group: "", version: "v1", kind: "Pod" },
      resource: { group: "", version: "v1", resource: "pods" },
      namespace: "default",
      name: object?.metadata.name ?? "",
      user: person,
      dryRun: false,
      warn: () => {},
      audit: () => {},
      ...given,
      ...(object && { object }),
    };
    for (const plugin of plugins) if (plugin.wants(request)) await plugin.mutate?.(request);
    for (const plugin of plugins) if (plugin.wants(request)) await plugin.validate?.(request);
    return object;
  }
  return { state, clock, admit };
}

export const pod = (spec: object = {}, metadata: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", ...metadata },
  spec: { containers: [{ name: "c", image: "i" }], ...spec },
});

export const resource = (name: string, group = "") => ({
  resource: { group, version: "v1", resource: name },
});

export async function refused(
  promise: Promise<unknown>,
  code: number,
  message: RegExp,
): Promise<StatusError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof StatusError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return error;
  }
  return assert.fail("was admitted");
}
