import type { Kind } from "../../api/index.ts";
import type { KubeObject } from "../../machinery/index.ts";
import type { ListPage } from "../context.ts";
import { type Form, type Frame, type Frames, frameOf, type ListBody } from "./form.ts";
import { eventFrame, listMetadata } from "./json.ts";
import { bookmarkObject, shownObject } from "./shown-object.ts";
import { type RowShape, rowOf, writeRow } from "./table-row.ts";

const json = "application/json";
const tableStart = ({ version }: RowShape) =>
  `{"kind":"Table","apiVersion":"meta.k8s.io/${version}","metadata":`;

/** What `kubectl get` prints. As `metav1.Table`, `pkg/printers/internalversion`. */
export function tableForm(kind: Kind, shape: RowShape, now: () => number): Form {
  const columns = JSON.stringify(columnDefinitions(kind));
  const tableOf = (object: KubeObject, shownColumns: string) => {
    const { resourceVersion } = object.metadata;
    const row = rowOf(kind, object, shape, now());
    return `${tableStart(shape)}${JSON.stringify({ resourceVersion })},"columnDefinitions":${shownColumns},"rows":[${row}]}`;
  };
  return {
    mediaType: json,
    watchMediaType: json,
    entry: (entry) => Buffer.from(`${tableOf(entry.object, columns)}\n`),
    // A Status, a Scale or a token has no columns.
    object: (object) =>
      Buffer.from(object.kind === kind.kind ? tableOf(object, columns) : JSON.stringify(object)),
    list: (page) => tableList(page, columns, shape, now()),
    frames: () => tableFrames(kind, tableOf, columns),
  };
}

const comma = Buffer.from(",");
const closing = Buffer.from("]}\n");

function tableList(page: ListPage, columns: string, shape: RowShape, nowMs: number): ListBody {
  return {
    head: Buffer.from(
      `${tableStart(shape)}${JSON.stringify(listMetadata(page))},"columnDefinitions":${columns},"rows":[`,
    ),
    tail: closing,
    item: (index, writer) => {
      if (index > 0) writer.write(comma);
      writeRow(page.kind, page.entries[index]!, shape, nowMs, writer);
    },
  };
}

/** Of a watch only the first event says what the columns are. */
function tableFrames(
  kind: Kind,
  tableOf: (object: KubeObject, columns: string) => string,
  columns: string,
): Frames {
  let shown = columns;
  const event = (type: string, object: KubeObject): Frame => {
    const frame = frameOf([`{"type":"${type}","object":${tableOf(object, shown)}}\n`]);
    shown = "null";
    return frame;
  };
  return {
    change: (change) => event(change.type, shownObject(change)),
    bookmark: (revision, means) =>
      event("BOOKMARK", { spec: {}, status: {}, ...bookmarkObject(kind, revision, means) }),
    error: (status) => eventFrame("ERROR", status),
  };
}

function columnDefinitions(kind: Kind) {
  return kind.columns.map(({ name, type, format, description, priority }) => ({
    name,
    type,
    format: format ?? "",
    description,
    priority,
  }));
}
