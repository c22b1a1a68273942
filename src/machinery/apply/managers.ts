import type { ManagedFieldsEntry } from "../meta.ts";
import { type FieldSet, isEmptySet, parseFieldSet, union } from "./field-set.ts";

/** One entry of `managedFields`, with its set. */
export interface Manager {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly subresource?: string;
  readonly time?: string;
  readonly fields: FieldSet;
}

/** How many entries of ordinary updates are kept apart; the oldest above it share one. As upstream's `DefaultMaxUpdateManagers`. */
export const updateManagersMax = 10;

const oldUpdatesManager = "ancient-changes";

/** Whether two entries are of the same manager. An applier is the same across versions: it applies its whole intent each time. */
export function sameManager(
  a: Omit<Manager, "fields" | "time">,
  b: Omit<Manager, "fields" | "time">,
): boolean {
  return (
    a.manager === b.manager &&
    a.operation === b.operation &&
    (a.subresource ?? "") === (b.subresource ?? "") &&
    (a.operation === "Apply" || a.apiVersion === b.apiVersion)
  );
}

/** The managers of an object as it is stored: the entries are ours, and taken as they are. */
export function managersOf(entries: readonly ManagedFieldsEntry[] | undefined): Manager[] {
  return (entries ?? []).map((entry) => ({
    manager: entry.manager ?? "",
    operation: entry.operation!,
    apiVersion: entry.apiVersion!,
    ...(entry.subresource && { subresource: entry.subresource }),
    ...(entry.time && { time: entry.time }),
    fields: (entry.fieldsV1 ?? {}) as FieldSet,
  }));
}

/** The managers in a client's `managedFields`; undefined when they are not valid. */
export function parseManagers(entries: unknown): Manager[] | undefined {
  if (!Array.isArray(entries)) return undefined;
  const managers: Manager[] = [];
  for (const entry of entries as ManagedFieldsEntry[]) {
    const manager = parseManager(entry);
    if (!manager) return undefined;
    const twin = managers.findIndex((other) => sameManager(other, manager));
    if (twin >= 0) managers[twin] = manager;
    else managers.push(manager);
  }
  return managers;
}

function parseManager(entry: ManagedFieldsEntry | null): Manager | undefined {
  if (typeof entry !== "object" || entry === null) return undefined;
  const { operation, apiVersion, fieldsType, manager = "", subresource, time } = entry;
  if (operation !== "Apply" && operation !== "Update") return undefined;
  if (typeof apiVersion !== "string" || apiVersion === "" || fieldsType !== "FieldsV1") return undefined;
  if (typeof manager !== "string") return undefined;
  const fields = parseFieldSet(entry.fieldsV1 ?? {});
  if (!fields) return undefined;
  return {
    manager,
    operation,
    apiVersion,
    ...(typeof subresource === "string" && subresource && { subresource }),
    ...(typeof time === "string" && { time }),
    fields,
  };
}

/** `managedFields: []`, or one empty entry: the client asks to forget who owns what. */
export function isReset(entries: unknown): boolean {
  if (!Array.isArray(entries)) return false;
  if (entries.length === 0) return true;
  return (
    entries.length === 1 &&
    typeof entries[0] === "object" &&
    entries[0] !== null &&
    Object.keys(entries[0]).length === 0
  );
}

/** The form in which they are stored: appliers first, then by age. Undefined when there are none. */
export function entriesOf(managers: readonly Manager[]): ManagedFieldsEntry[] | undefined {
  const kept = managers.filter(({ fields }) => !isEmptySet(fields));
  if (kept.length === 0) return undefined;
  if (kept.length > 1) kept.sort(inOrder);
  return kept.map(({ manager, operation, apiVersion, time, subresource, fields }) => ({
    manager,
    operation,
    apiVersion,
    ...(time && { time }),
    fieldsType: "FieldsV1" as const,
    fieldsV1: fields as Record<string, unknown>,
    ...(subresource && { subresource }),
  }));
}

const ordinal = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function inOrder(a: Manager, b: Manager): number {
  return (
    ordinal(a.operation, b.operation) ||
    ordinal(a.time ?? "", b.time ?? "") ||
    ordinal(a.manager, b.manager) ||
    ordinal(a.apiVersion, b.apiVersion) ||
    ordinal(a.subresource ?? "", b.subresource ?? "")
  );
}

/** Merges the oldest updaters of a version into one, until there are no more than {@link updateManagersMax}. */
export function capUpdateManagers(managers: readonly Manager[]): Manager[] {
  const updaters = managers.filter(({ operation }) => operation === "Update");
  let surplus = updaters.length - updateManagersMax;
  if (surplus <= 0) return [...managers];
  updaters.sort((a, b) => ordinal(a.time ?? "", b.time ?? "") || ordinal(a.manager, b.manager));
  let result = [...managers];
  const buckets = new Map<string, Manager>();
  for (const updater of updaters) {
    if (surplus <= 0) break;
    const { apiVersion } = updater;
    const oldest = buckets.get(apiVersion);
    if (!oldest) {
      buckets.set(apiVersion, updater);
      continue;
    }
    const bucket: Manager = {
      manager: oldUpdatesManager,
      operation: "Update",
      apiVersion,
      ...(updater.time && { time: updater.time }),
      fields: union(oldest.fields, updater.fields),
    };
    result = result.filter((other) => other !== oldest && other !== updater);
    result.push(bucket);
    buckets.set(apiVersion, bucket);
    surplus--;
  }
  return result;
}
