import type { Kind } from "../../api/index.ts";
import { assert } from "../../base/index.ts";
import type { RequestOptions } from "../../client/index.ts";
import { formatTime, type KubeObject } from "../../machinery/index.ts";
import { thaw } from "../registry/json-value.ts";

/** What a DELETE comes to for an object as it is now. */
export type DeletionPlan =
  /** The object goes at once. */
  | { do: "remove"; last: KubeObject }
  /** It is marked, and goes when its grace period or its finalizers are over. */
  | { do: "mark"; object: KubeObject }
  /** It is marked already, and this request shortens nothing. */
  | { do: "wait" };

const orphan = "orphan";
const foreground = "foregroundDeletion";

/**
 * Decides a deletion. Pure.
 *
 * Counterpart upstream: `rest.BeforeDelete`, `deletionFinalizersForGarbageCollection` and `markAsDeleting`.
 */
export function planDeletion(
  kind: Kind,
  old: KubeObject,
  options: RequestOptions,
  nowMs: number,
): DeletionPlan {
  const object = thaw(old);
  const graceful = markGraceful(kind, object, options, nowMs);
  if (graceful === "pending") return { do: "wait" };
  setDeletionFinalizers(kind, object, options);
  const held =
    (object.metadata.finalizers?.length ?? 0) > 0 || (kind.strategy.holdsDeletion?.(object) ?? false);
  if (graceful === "marked") {
    kind.strategy.prepareForDelete?.(object);
    const over = object.metadata.deletionGracePeriodSeconds === 0;
    return over && !held ? { do: "remove", last: object } : { do: "mark", object };
  }
  if (!held) return { do: "remove", last: object };
  markAsDeleting(object, nowMs);
  kind.strategy.prepareForDelete?.(object);
  return { do: "mark", object };
}

/** Sets time and period of a graceful deletion; `no` when the kind, the object or the request wants none. */
function markGraceful(
  kind: Kind,
  object: KubeObject,
  options: RequestOptions,
  nowMs: number,
): "no" | "marked" | "pending" {
  const { metadata } = object;
  const requestedS =
    options.gracePeriodSeconds === undefined || options.gracePeriodSeconds >= 0
      ? options.gracePeriodSeconds
      : 1;
  if (!kind.strategy.gracePeriodS) return "no";
  const periodS = metadata.deletionGracePeriodSeconds;
  if (metadata.deletionTimestamp !== undefined) {
    if (!periodS) return "no";
    if (requestedS === undefined || requestedS >= periodS) return "pending";
    const markedMs = Date.parse(metadata.deletionTimestamp) - periodS * 1_000;
    const dueMs = markedMs + requestedS * 1_000;
    // A period can be shortened but not end in the past: then the node agent has still the last word, but for 0.
    const past = dueMs < nowMs;
    metadata.deletionTimestamp = formatTime(past ? nowMs : dueMs);
    metadata.deletionGracePeriodSeconds = past && requestedS !== 0 ? 1 : requestedS;
    return "marked";
  }
  const graceS = kind.strategy.gracePeriodS(object, requestedS);
  if (graceS === undefined) return "no";
  assert(graceS >= 0, "a grace period is not negative");
  metadata.deletionTimestamp = formatTime(nowMs + graceS * 1_000);
  metadata.deletionGracePeriodSeconds = graceS;
  if (metadata.generation) metadata.generation++;
  return "marked";
}

/** The garbage collector's finalizers, as the request or else the object's own ones ask for them. */
function setDeletionFinalizers(kind: Kind, object: KubeObject, options: RequestOptions): void {
  const before = object.metadata.finalizers ?? [];
  const policy =
    options.propagationPolicy ??
    (before.includes(orphan)
      ? "Orphan"
      : before.includes(foreground)
        ? "Foreground"
        : (kind.strategy.defaultPropagation ?? "Background"));
  const finalizers = before.filter((finalizer) => finalizer !== orphan && finalizer !== foreground);
  if (policy === "Orphan") finalizers.push(orphan);
  if (policy === "Foreground") finalizers.push(foreground);
  if (finalizers.length > 0) object.metadata.finalizers = finalizers;
  else delete object.metadata.finalizers;
}

function markAsDeleting(object: KubeObject, nowMs: number): void {
  const { metadata } = object;
  if (metadata.deletionTimestamp === undefined && metadata.generation) metadata.generation++;
  if (metadata.deletionTimestamp === undefined || Date.parse(metadata.deletionTimestamp) > nowMs) {
    metadata.deletionTimestamp = formatTime(nowMs);
  }
  metadata.deletionGracePeriodSeconds = 0;
}
