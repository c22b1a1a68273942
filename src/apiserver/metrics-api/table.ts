import type { KubeObject } from "../../machinery/index.ts";
import { partialMetadataOf } from "../forms/partial-metadata.ts";
import type { IncludeObject } from "../forms/table-row.ts";
import type { MetricsResource } from "./resources.ts";

/** What `kubectl get nodes.metrics.k8s.io` prints. */
export function tableOf(
  { columns }: MetricsResource,
  items: readonly KubeObject[],
  include: IncludeObject,
  nowMs: number,
): object {
  const shown = (object: KubeObject) => (include === "Object" ? object : partialMetadataOf(object));
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: {},
    columnDefinitions: columns.map(({ name, type, format = "", description, priority }) => ({
      ...{ name, type, format, description, priority },
    })),
    rows: items.map((object) => ({
      cells: columns.map((column) => column.value(object, nowMs)),
      object: include === "None" ? null : shown(object),
    })),
  };
}
