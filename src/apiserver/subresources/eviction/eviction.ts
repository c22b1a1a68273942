import { type corev1, isPodReady, isPodTerminal, type policyv1 } from "../../../api/index.ts";
import type { RequestOptions } from "../../../client/index.ts";
import {
  badRequest,
  conflict,
  formatTime,
  isStatus,
  type KubeObject,
  type LabelSelector,
  notFound,
  type Status,
  StatusError,
  selectorOf,
} from "../../../machinery/index.ts";
import type { Call, Caller, Outcome, Serving } from "../../context.ts";
import { guaranteedUpdate } from "../../registry/guaranteed-update.ts";
import { isDryRun } from "../../verbs/admission.ts";
import { decodeOther } from "../../verbs/decode.ts";
import { removeObject } from "../../verbs/delete.ts";
import { deleteOptionsOf } from "../../verbs/delete-options.ts";
import { namedBy, type Subresource } from "../subresource.ts";
import { spend, stillProcessed } from "./budget.ts";

const evictionType = { group: "policy", version: "v1", kind: "Eviction" };

/**
 * A deletion that disruption budgets may refuse. Counterpart upstream: `pkg/registry/core/pod/storage.EvictionREST`.
 *
 * What a budget allows is taken from it before the pod is deleted, by compare-and-set: two evictions at once can't both
 * have the last one.
 */
export const eviction: Subresource = {
  name: "eviction",
  servedFor: namedBy("eviction"),
  type: evictionType,
  verbs: { create: evict },
};

async function evict(serving: Serving, caller: Caller, given: Call): Promise<Outcome> {
  const body = decodeOther(serving, caller, given, evictionType);
  if (body.metadata.name && body.metadata.name !== given.name) {
    throw badRequest("name in URL does not match name in Eviction object");
  }
  const options = { ...given.options, ...deleteOptionsOf(body.deleteOptions ?? {}) };
  const call: Call = { ...given, verb: "delete", options };
  const pod = await findPod(call);
  if (needsNoBudget(pod)) {
    const isSettled = isPodTerminal(pod) || pod.metadata.deletionTimestamp !== undefined;
    await markAndDelete(serving, caller, isSettled ? call : pinned(call, pod));
  } else {
    await evictWithinBudget(serving, caller, call, pod);
  }
  const done: Status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
  return { is: "object", code: 201, object: done as KubeObject };
}

async function findPod({ storage, namespace, name }: Call): Promise<corev1.Pod> {
  const entry = await storage.get(storage.key(namespace, name!));
  if (!entry) throw notFound(storage.groupResource, name!);
  return entry.object;
}

/** What does not run, or is going anyway, disrupts nobody. */
const needsNoBudget = (pod: corev1.Pod): boolean =>
  isPodTerminal(pod) ||
  (pod.status?.phase ?? "Pending") === "Pending" ||
  pod.metadata.deletionTimestamp !== undefined;

async function evictWithinBudget(
  serving: Serving,
  caller: Caller,
  call: Call,
  pod: corev1.Pod,
): Promise<void> {
  const budgets = await budgetsOf(serving, pod);
  if (budgets.length > 1) {
    throw new StatusError(
      500,
      undefined,
      "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
    );
  }
  const [budget] = budgets;
  if (!budget) return markAndDelete(serving, caller, call);
  if (!isPodReady(pod) && mayGoUnready(budget)) {
    const onlyAsSeen = pinned(call, pod);
    try {
      return await markAndDelete(serving, caller, onlyAsSeen);
    } catch (error) {
      // It may be ready now; whoever asks again is told by the budget.
      if (onlyAsSeen !== call && isStatus(error, "Conflict")) throw stillProcessed(budget.metadata.name!);
      throw error;
    }
  }
  await spendBudget(serving, call, budget, pod.metadata.name!);
  await markAndDelete(serving, caller, call);
}

async function budgetsOf(serving: Serving, pod: corev1.Pod): Promise<policyv1.PodDisruptionBudget[]> {
  const storage = serving.resources.find("policy", "v1", "poddisruptionbudgets");
  if (!storage) return [];
  const { entries } = await serving.store.range(storage.prefixOf(pod.metadata.namespace));
  return entries
    .map(({ object }) => object as policyv1.PodDisruptionBudget)
    .filter(({ spec }) =>
      selectorOf(spec.selector as LabelSelector | undefined).matches(pod.metadata.labels),
    );
}

/** A pod that is not ready is no loss, if the budget says so or the others are enough. */
function mayGoUnready({ spec, status = {} }: policyv1.PodDisruptionBudget): boolean {
  if (spec.unhealthyPodEvictionPolicy === "AlwaysAllow") return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = status;
  return desiredHealthy > 0 && currentHealthy >= desiredHealthy;
}

async function spendBudget(
  serving: Serving,
  call: Call,
  { metadata }: policyv1.PodDisruptionBudget,
  podName: string,
): Promise<void> {
  const storage = serving.resources.get("policy", "v1", "poddisruptionbudgets");
  const name = metadata.name!;
  await guaranteedUpdate(storage, storage.key(metadata.namespace, name), name, (current) => {
    if (!current) throw notFound(storage.groupResource, name);
    const budget: policyv1.PodDisruptionBudget = current.object;
    const status = spend(budget, podName, serving.clock.now());
    return isDryRun(call) ? { do: "nothing" } : { do: "put", object: { ...budget, status } };
  });
}

/** Only the pod as it was seen, unless the request pins it itself. */
function pinned(call: Call, pod: corev1.Pod): Call {
  const { preconditions } = call.options;
  if (preconditions?.resourceVersion !== undefined) return call;
  const resourceVersion = pod.metadata.resourceVersion!;
  return withOptions(call, { preconditions: { ...preconditions, resourceVersion } });
}

const withOptions = (call: Call, options: Partial<RequestOptions>): Call => ({
  ...call,
  options: { ...call.options, ...options },
});

async function markAndDelete(serving: Serving, caller: Caller, call: Call): Promise<void> {
  const { preconditions } = call.options;
  if (isDryRun(call)) {
    await removeObject(serving, caller, call);
    return;
  }
  const resourceVersion = await markAsDisrupted(serving, call);
  // The mark was a write of its own.
  const next =
    preconditions?.resourceVersion !== undefined ? { ...preconditions, resourceVersion } : preconditions;
  await removeObject(serving, caller, withOptions(call, { ...(next && { preconditions: next }) }));
}

/** Says in the pod's status why it goes; returns the revision at which that stands. */
async function markAsDisrupted(serving: Serving, call: Call): Promise<string> {
  const { storage, namespace, options } = call;
  const name = call.name!;
  const written = await guaranteedUpdate(storage, storage.key(namespace, name), name, (current) => {
    if (!current) throw notFound(storage.groupResource, name);
    const pod: corev1.Pod = current.object;
    requireSame(call, pod, options.preconditions);
    const conditions = pod.status?.conditions ?? [];
    const before = conditions.find(({ type }) => type === "DisruptionTarget");
    const said = { status: "True", reason: "EvictionByEvictionAPI", message: "Eviction API: evicting" };
    if (before && Object.entries(said).every(([key, value]) => before[key as "status"] === value)) {
      return { do: "nothing" };
    }
    const lastTransitionTime =
      before?.status === "True" ? before.lastTransitionTime : formatTime(serving.clock.now());
    const condition = { type: "DisruptionTarget", ...said, lastTransitionTime };
    const others = conditions.filter((each) => each !== before);
    return { do: "put", object: { ...pod, status: { ...pod.status, conditions: [...others, condition] } } };
  });
  return String(written.entry!.revision);
}

function requireSame(call: Call, { metadata }: corev1.Pod, wanted: RequestOptions["preconditions"]): void {
  const differs = (what: "uid" | "resourceVersion") =>
    Boolean(wanted?.[what]) && wanted?.[what] !== metadata[what];
  if (differs("uid")) {
    throw conflict(
      call.storage.groupResource,
      call.name!,
      `the UID in the precondition (${wanted!.uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`,
    );
  }
  if (differs("resourceVersion")) {
    throw conflict(
      call.storage.groupResource,
      call.name!,
      `the ResourceVersion in the precondition (${wanted!.resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`,
    );
  }
}
