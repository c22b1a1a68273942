import type { KubeObject } from "../machinery/index.ts";
import { ageOf } from "./age.ts";
import type { Column } from "./kind.ts";

/** What `kubectl get` shows where there is nothing to show. */
export const none = "<none>";

export const nameColumn: Column<KubeObject> = {
  name: "Name",
  type: "string",
  format: "name",
  description: "The object's name, unique among its kind in its namespace.",
  priority: 0,
  value: (object) => object.metadata.name ?? "",
};

/** As upstream's printers, an age is a string made by the server. */
export const ageColumn: Column<KubeObject> = {
  name: "Age",
  type: "string",
  description: "How long ago the object was made.",
  priority: 0,
  changesWithTime: true,
  ageFrom: (object) => object.metadata.creationTimestamp,
  value: (object, nowMs) => ageOf(object.metadata.creationTimestamp, nowMs),
};

/** A column that always shows. */
export const column = <T>(
  name: string,
  type: Column<T>["type"],
  description: string,
  value: Column<T>["value"],
): Column<T> => ({ name, type, description, priority: 0, value });

/** A column of `-o wide`. */
export const wideColumn = <T>(
  name: string,
  type: Column<T>["type"],
  description: string,
  value: Column<T>["value"],
): Column<T> => ({ name, type, description, priority: 1, value });

/** A column whose text also depends on the time: an age, or when something last happened. */
export const timed = <T>(column: Column<T>): Column<T> => ({ ...column, changesWithTime: true });
