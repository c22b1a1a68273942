import {
  type FieldError,
  fieldInvalid,
  fieldRequired,
  isDnsSubdomain,
  sameJson,
} from "../../../machinery/index.ts";
import { event as coreEvent } from "../../core/v1/event.ts";
import type { corev1, eventsv1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import type { FieldErrors } from "../../validation/values.ts";

type Event = eventsv1.Event & { metadata: { namespace?: string } };

/**
 * The same objects as the core group's events, in the form of newer clients.
 * Counterpart upstream: `pkg/apis/events/v1/conversion.go`, and the strict half of `ValidateEventCreate`.
 */
export const eventsEvent: Kind<Event> = {
  ...(coreEvent as unknown as Kind<Event>),
  group: "events.k8s.io",
  schema: "events/v1.Event",
  storedAs: { kind: coreEvent, toStored: toCore, fromStored: fromCore },
  columns: coreEvent.columns.map(({ ageFrom, value, ...column }) => ({
    ...column,
    ...(ageFrom && { ageFrom: (object: Event) => ageFrom(toCore(object)) }),
    value: (object: Event, nowMs: number) => value(toCore(object), nowMs),
  })),
  selectableFields: ({ regarding = {}, reason, type, reportingController }) => ({
    "regarding.kind": regarding.kind ?? "",
    "regarding.namespace": regarding.namespace ?? "",
    "regarding.name": regarding.name ?? "",
    "regarding.uid": regarding.uid ?? "",
    "regarding.apiVersion": regarding.apiVersion ?? "",
    "regarding.resourceVersion": regarding.resourceVersion ?? "",
    "regarding.fieldPath": regarding.fieldPath ?? "",
    reason: reason ?? "",
    reportingController: reportingController ?? "",
    type: type ?? "",
  }),
  strategy: {
    tracksGeneration: false,
    allowCreateOnUpdate: true,
    validateName: isDnsSubdomain,
    validate: (object) =>
      coreEvent.strategy
        .validate(toCore(object))
        .map((error) =>
          error.field === "reportingComponent" ? { ...error, field: "reportingController" } : error,
        ),
    validateCreate,
    validateUpdate,
  },
};

function toCore(object: Event): corev1.Event {
  const { metadata, eventTime, series, reportingController, reportingInstance, action, reason } = object;
  const { regarding, related, note, type } = object;
  return without({
    kind: "Event",
    apiVersion: "v1",
    metadata,
    involvedObject: regarding ?? {},
    reason,
    message: note,
    source: object.deprecatedSource ?? {},
    firstTimestamp: object.deprecatedFirstTimestamp,
    lastTimestamp: object.deprecatedLastTimestamp,
    count: object.deprecatedCount,
    type,
    eventTime,
    series,
    action,
    related,
    reportingComponent: reportingController ?? "",
    reportingInstance: reportingInstance ?? "",
  }) as unknown as corev1.Event;
}

function fromCore(object: corev1.Event): Event {
  const { metadata, eventTime, series, reportingComponent, reportingInstance, action, reason } = object;
  const { involvedObject, related, message, type, source, firstTimestamp, lastTimestamp, count } = object;
  return without({
    kind: "Event",
    apiVersion: "events.k8s.io/v1",
    metadata,
    eventTime: eventTime ?? null,
    series,
    reportingController: reportingComponent || undefined,
    reportingInstance: reportingInstance || undefined,
    action,
    reason,
    regarding: involvedObject,
    related,
    note: message,
    type,
    deprecatedSource: source,
    deprecatedFirstTimestamp: firstTimestamp,
    deprecatedLastTimestamp: lastTimestamp,
    deprecatedCount: count,
  }) as unknown as Event;
}

function without<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

/** What clients of this form must not leave out, and must not say in the old way. Paths are the stored form's. */
function validateCreate(object: Event): FieldError[] {
  const errors: FieldErrors = validateSeries(object);
  const type = object.type ?? "";
  if (!object.eventTime) errors.push(fieldRequired("eventTime"));
  if (type !== "Normal" && type !== "Warning")
    errors.push(fieldInvalid("type", "", `has invalid value: ${type}`));
  const { component, host } = object.deprecatedSource ?? {};
  const old = {
    firstTimestamp: object.deprecatedFirstTimestamp,
    lastTimestamp: object.deprecatedLastTimestamp,
    count: object.deprecatedCount,
    source: component || host,
  };
  for (const [field, value] of Object.entries(old)) {
    if (value) errors.push(fieldInvalid(field, "", "needs to be unset"));
  }
  return errors;
}

function validateSeries({ series }: Event): FieldErrors {
  const errors: FieldErrors = [];
  if (!series) return errors;
  if ((series.count ?? 0) < 2) errors.push(fieldInvalid("series.count", "", "should be at least 2"));
  if (!series.lastObservedTime) errors.push(fieldRequired("series.lastObservedTime"));
  return errors;
}

const immutableFields = [
  "involvedObject",
  "reason",
  "message",
  "source",
  "firstTimestamp",
  "lastTimestamp",
  "count",
  "type",
  "eventTime",
  "action",
  "related",
  "reportingComponent",
  "reportingInstance",
] as const;

function validateUpdate(object: Event, old: Event): FieldError[] {
  const errors: FieldErrors = sameJson(object.series, old.series) ? [] : validateSeries(object);
  const [now, before] = [toCore(object), toCore(old)];
  for (const field of immutableFields) {
    if (sameJson(now[field], before[field])) continue;
    const path = field === "reportingComponent" ? "reportingController" : field;
    errors.push(fieldInvalid(path, now[field] ?? null, "field is immutable"));
  }
  return errors;
}
