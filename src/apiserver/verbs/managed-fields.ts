import {
  apiVersionOf,
  type KubeObject,
  type ManagedFieldsEntry,
  trackUpdate,
} from "../../machinery/index.ts";
import type { Call, Caller, Serving } from "../context.ts";
import { fieldManagerLengthMax } from "../limits.ts";
import { sameJson } from "../registry/json-value.ts";

/** Records in `object` who wrote what. `old`: what is stored; absent for a new object. */
export function trackManager(
  serving: Serving,
  caller: Caller,
  call: Call,
  object: KubeObject,
  old: KubeObject | undefined,
): void {
  const { kind } = call.storage;
  const entries = trackUpdate({
    type: serving.schemas.type(kind.schema),
    registry: serving.schemas,
    before: old,
    after: object,
    manager: managerOf(caller, call),
    ...(call.subresource && { subresource: call.subresource }),
    apiVersion: apiVersionOf(kind),
    nowMs: serving.clock.now(),
    resetFields: notWrittenBy(serving, call),
  });
  if (entries) object.metadata.managedFields = entries;
  else delete object.metadata.managedFields;
}

/** The option, or what the user agent begins with: `kubectl` of `kubectl/v1.36.0 (linux/amd64)`. As `managerOrUserAgent`. */
export function managerOf(caller: Caller, call: Call): string {
  const named = call.options.fieldManager || caller.userAgent.split("/", 1)[0]!;
  const printable = named.replace(/[^\P{C}]/gu, "");
  return (
    Buffer.from(printable)
      .subarray(0, fieldManagerLengthMax)
      .toString()
      .replace(/\uFFFD+$/, "") || "unknown"
  );
}

const metaFields = new Set(["kind", "apiVersion", "metadata"]);

/** What a write to the object leaves of its status, and a write to its status of the rest: changes there are nobody's. */
export function notWrittenBy(serving: Serving, call: Call): string[] {
  const { kind } = call.storage;
  if (call.subresource !== "status") return kind.hasStatus ? ["status"] : [];
  const fields = [...serving.schemas.type(kind.schema).fields.keys()];
  return fields.filter((field) => field !== "status" && !metaFields.has(field));
}

/** A writer that changed nothing leaves the times of its entries as they were. As `IgnoreManagedFieldsTimestampsTransformer`. */
export function sameButForTimes(
  a: readonly ManagedFieldsEntry[] | undefined,
  b: readonly ManagedFieldsEntry[] | undefined,
): boolean {
  if (a === b) return true;
  if (a?.length !== b?.length) return false;
  return (a ?? []).every((entry, i) => sameJson({ ...entry, time: "" }, { ...b![i], time: "" }));
}
