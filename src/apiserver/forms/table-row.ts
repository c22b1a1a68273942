import { ageOf, type Kind } from "../../api/index.ts";
import type { KubeObject } from "../../machinery/index.ts";
import type { Entry } from "../../store/index.ts";
import type { ItemWriter } from "./form.ts";
import { type MetaVersion, partialMetadataOf } from "./partial-metadata.ts";

/** What of the object comes with its row. As `metav1.IncludeObjectPolicy`. */
export type IncludeObject = "None" | "Metadata" | "Object";

export interface RowShape {
  include: IncludeObject;
  version: MetaVersion;
}

/*
 * A row is kept with its revision as JSON with holes where the ages go: they are all that changes while an object does not.
 * The form kept is one buffer: the number of holes, for each its place and its time, then the JSON.
 */

const holeBytes = 12;
const rowForms: Record<IncludeObject, Record<MetaVersion, symbol>> = {
  None: { v1: Symbol("row"), v1beta1: Symbol("row") },
  Metadata: { v1: Symbol("row with metadata"), v1beta1: Symbol("row with metadata") },
  Object: { v1: Symbol("row with object"), v1beta1: Symbol("row with object") },
};
/** A cell that changes with time in other ways than an age does so within this span. */
const farMs = 10 * 365 * 24 * 60 * 60_000;

/** Writes the row of a revision as it is at `nowMs`. */
export function writeRow(kind: Kind, entry: Entry, shape: RowShape, nowMs: number, writer: ItemWriter): void {
  const kept = entry.form<Buffer | false>(
    rowForms[shape.include][shape.version],
    (made) => rowWithHoles(kind, made.object, objectBytes(made, shape), nowMs) ?? false,
  );
  if (kept) fillHoles(kept, nowMs, writer);
  else writer.write(Buffer.from(rowText(kind, entry.object, objectBytes(entry, shape), nowMs)));
}

/** The row of an object that is not stored. */
export function rowOf(kind: Kind, object: KubeObject, { include, version }: RowShape, nowMs: number): string {
  const whole = include === "Object" ? object : partialMetadataOf(object, version);
  const shown = include === "None" ? "null" : JSON.stringify(whole);
  return rowText(kind, object, shown, nowMs);
}

function objectBytes(entry: Entry, { include, version }: RowShape): string {
  switch (include) {
    case "None":
      return "null";
    case "Metadata":
      // Not as a form of its own: it would be kept twice.
      return JSON.stringify(partialMetadataOf(entry.object, version));
    case "Object":
      return entry.bytes.toString();
  }
}

function rowText(kind: Kind, object: KubeObject, shown: string, nowMs: number): string {
  const cells = kind.columns.map((column) => JSON.stringify(column.value(object, nowMs)));
  return `{"cells":[${cells.join(",")}],"object":${shown}}`;
}

/** Undefined where a cell changes with time and is no mere age: such a row is made anew each time. */
function rowWithHoles(kind: Kind, object: KubeObject, shown: string, nowMs: number): Buffer | undefined {
  const holes: { at: number; ms: number }[] = [];
  let text = '{"cells":[';
  let separator = "";
  for (const column of kind.columns) {
    text += separator;
    separator = ",";
    const time = column.ageFrom?.(object);
    if (time) {
      // An age needs no escapes, and is written between the quotes.
      holes.push({ at: Buffer.byteLength(text) + 1, ms: Date.parse(time) });
      text += '""';
      continue;
    }
    const value = column.value(object, nowMs);
    if (column.changesWithTime && column.value(object, nowMs + farMs) !== value) return undefined;
    text += JSON.stringify(value);
  }
  text += `],"object":${shown}}`;
  const row = Buffer.allocUnsafe(1 + holes.length * holeBytes + Buffer.byteLength(text));
  let offset = row.writeUInt8(holes.length, 0);
  for (const hole of holes) {
    offset = row.writeUInt32LE(hole.at, offset);
    offset = row.writeDoubleLE(hole.ms, offset);
  }
  row.write(text, offset);
  return row;
}

function fillHoles(row: Buffer, nowMs: number, writer: ItemWriter): void {
  const holes = row[0]!;
  const start = 1 + holes * holeBytes;
  let from = start;
  for (let i = 0; i < holes; i++) {
    const offset = 1 + i * holeBytes;
    const at = start + row.readUInt32LE(offset);
    writer.write(row.subarray(from, at));
    writer.write(ageBytes(row.readDoubleLE(offset + 4), nowMs));
    from = at;
  }
  writer.write(row.subarray(from));
}

/** Ages of objects made in the same second are the same: a long list has few different ones. */
let ageCacheAtMs = -1;
const ageCache = new Map<number, Buffer>();
const ageCacheMax = 10_000;

function ageBytes(ms: number, nowMs: number): Buffer {
  if (nowMs !== ageCacheAtMs || ageCache.size > ageCacheMax) {
    ageCache.clear();
    ageCacheAtMs = nowMs;
  }
  let bytes = ageCache.get(ms);
  if (!bytes) {
    bytes = Buffer.from(ageOf(new Date(ms).toISOString(), nowMs));
    ageCache.set(ms, bytes);
  }
  return bytes;
}
