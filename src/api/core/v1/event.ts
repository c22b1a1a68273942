import {
  type FieldError,
  fieldInvalid,
  fieldRequired,
  isPathSegmentName,
  isQualifiedName,
} from "../../../machinery/index.ts";
import { ageOf } from "../../age.ts";
import { column, nameColumn, timed, wideColumn } from "../../columns.ts";
import type { corev1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import { addInvalid, type FieldErrors } from "../../validation/values.ts";

/** As kube-apiserver's `--event-ttl`: what happened an hour ago is history. */
const ttlS = 3600;

const textLengthMax = 128;
const messageLengthMax = 1024;

type Columns = Kind<corev1.Event>["columns"];

/** Counterpart upstream: `pkg/registry/core/event`. */
export const event: Kind<corev1.Event> = {
  group: "",
  version: "v1",
  kind: "Event",
  resource: "events",
  singular: "event",
  shortNames: ["ev"],
  categories: [],
  scope: "Namespaced",
  schema: "core/v1.Event",
  hasStatus: false,
  ttlS: () => ttlS,
  columns: [
    timed(
      column<corev1.Event>("Last Seen", "string", "How long ago it happened last.", (object, nowMs) =>
        ageOf(lastSeen(object), nowMs),
      ),
    ),
    column<corev1.Event>("Type", "string", "Normal or Warning.", ({ type }) => type ?? ""),
    column<corev1.Event>("Reason", "string", "Why, in a word.", ({ reason }) => reason ?? ""),
    column<corev1.Event>("Object", "string", "What it is about.", ({ involvedObject }) => {
      const { kind = "", name } = involvedObject ?? {};
      return name ? `${kind.toLowerCase()}/${name}` : kind.toLowerCase();
    }),
    wideColumn<corev1.Event>(
      "Subobject",
      "string",
      "Which part of that.",
      ({ involvedObject }) => involvedObject?.fieldPath ?? "",
    ),
    wideColumn<corev1.Event>("Source", "string", "Who tells it.", sourceOf),
    column<corev1.Event>("Message", "string", "What happened.", ({ message }) => message?.trim() ?? ""),
    timed(
      wideColumn<corev1.Event>("First Seen", "string", "How long ago it happened first.", (object, nowMs) =>
        ageOf(firstSeen(object), nowMs),
      ),
    ),
    wideColumn<corev1.Event>(
      "Count",
      "string",
      "How often.",
      ({ series, count }) => series?.count ?? (count || 1),
    ),
    { ...nameColumn, priority: 1 },
  ] as Columns,
  selectableFields: ({ involvedObject = {}, reason, type, source, reportingComponent }) => ({
    "involvedObject.kind": involvedObject.kind ?? "",
    "involvedObject.namespace": involvedObject.namespace ?? "",
    "involvedObject.name": involvedObject.name ?? "",
    "involvedObject.uid": involvedObject.uid ?? "",
    "involvedObject.apiVersion": involvedObject.apiVersion ?? "",
    "involvedObject.resourceVersion": involvedObject.resourceVersion ?? "",
    "involvedObject.fieldPath": involvedObject.fieldPath ?? "",
    reason: reason ?? "",
    reportingComponent: reportingComponent ?? "",
    source: source?.component || reportingComponent || "",
    type: type ?? "",
  }),
  strategy: {
    tracksGeneration: false,
    allowCreateOnUpdate: true,
    // Made of the name of what it is about, which may be anything.
    validateName: isPathSegmentName,
    validate: validateEvent,
  },
};

const firstSeen = ({ firstTimestamp, eventTime }: corev1.Event) => firstTimestamp ?? eventTime;
const lastSeen = (object: corev1.Event) =>
  object.series?.lastObservedTime ?? object.lastTimestamp ?? firstSeen(object);

/** `component, host`; one that has only a host is known by that. */
function sourceOf({ source, reportingComponent, reportingInstance }: corev1.Event): string {
  const component = source?.component || reportingComponent || "";
  const instance = source?.host || reportingInstance || "";
  return instance ? `${component}, ${instance}` : component;
}

function validateEvent(object: corev1.Event): FieldError[] {
  const errors: FieldErrors = [];
  const namespace = object.metadata.namespace ?? "";
  const about = object.involvedObject?.namespace ?? "";
  const mismatch = () =>
    errors.push(fieldInvalid("involvedObject.namespace", about, "does not match event.namespace"));
  if (object.eventTime) {
    if (!about && namespace !== "default" && namespace !== "kube-system") mismatch();
    validateReporter(errors, object);
  } else if (about ? namespace !== about : namespace !== "" && namespace !== "default") {
    mismatch();
  }
  return errors;
}

/** Of events in the newer form, those with an `eventTime`. */
function validateReporter(errors: FieldErrors, object: corev1.Event): void {
  const { reportingComponent = "", message = "" } = object;
  if (!reportingComponent) errors.push(fieldRequired("reportingComponent"));
  addInvalid(errors, reportingComponent, isQualifiedName(reportingComponent), "reportingComponent");
  for (const field of ["reportingInstance", "action", "reason"] as const) {
    const value = object[field] ?? "";
    if (!value) errors.push(fieldRequired(field));
    if (value.length > textLengthMax)
      errors.push(fieldInvalid(field, "", `can have at most ${textLengthMax} characters`));
  }
  if (message.length > messageLengthMax)
    errors.push(fieldInvalid("message", "", `can have at most ${messageLengthMax} characters`));
}
