import type { Kind } from "../../api/index.ts";
import { apiVersionOf, type KubeObject } from "../../machinery/index.ts";
import type { Entry } from "../../store/index.ts";
import type { ListPage } from "../context.ts";
import type { Change } from "../verbs/watch.ts";
import { type Form, type Frame, type Frames, frameOf, type ListBody } from "./form.ts";
import { bookmarkObject, shownObject } from "./shown-object.ts";

/** How bytes of one object are had from a revision: all of it, or its metadata. */
export interface JsonItems {
  list: { kind: string; apiVersion: string };
  entry(entry: Entry): Buffer;
  object(object: KubeObject): KubeObject;
  /** Whether `entry` is at hand, or has to be made: then the length of a list is not known before it is sent. */
  cost: "none" | "made";
  /** Where the frames of this form are kept with a revision. */
  frames: Record<Change["type"], symbol>;
}

const json = "application/json";

/** The form in which objects are stored: nothing is made for it. */
export function jsonForm(kind: Kind): Form {
  return jsonFormOf(kind, {
    list: { kind: `${kind.kind}List`, apiVersion: apiVersionOf(kind) },
    entry: (entry) => entry.bytes,
    object: (object) => object,
    cost: "none",
    frames: storedFrames,
  });
}

const storedFrames = { ADDED: Symbol("added"), MODIFIED: Symbol("modified"), DELETED: Symbol("deleted") };

export function jsonFormOf(kind: Kind, items: JsonItems): Form {
  return {
    mediaType: json,
    watchMediaType: json,
    entry: items.entry,
    object: (object) => Buffer.from(JSON.stringify(items.object(object))),
    list: (page) => jsonList(page, items),
    frames: () => jsonFrames(kind, items),
  };
}

const comma = Buffer.from(",");
const closing = Buffer.from("]}\n");

function jsonList(page: ListPage, items: JsonItems): ListBody {
  const { entries } = page;
  const head = Buffer.from(
    `{"kind":${JSON.stringify(items.list.kind)},"apiVersion":${JSON.stringify(items.list.apiVersion)},"metadata":${JSON.stringify(listMetadata(page))},"items":[`,
  );
  return {
    ...(items.cost === "none" && { bytes: head.length + closing.length + itemBytes(entries, items) }),
    head,
    tail: closing,
    item: (index, writer) => {
      if (index > 0) writer.write(comma);
      writer.write(items.entry(entries[index]!));
    },
  };
}

function itemBytes(entries: readonly Entry[], items: JsonItems): number {
  let bytes = Math.max(entries.length - 1, 0);
  for (const entry of entries) bytes += items.entry(entry).length;
  return bytes;
}

/** As `meta/v1.ListMeta`. */
export function listMetadata(page: ListPage) {
  return {
    resourceVersion: String(page.revision),
    ...(page.continue && { continue: page.continue }),
    ...(page.remainingItemCount !== undefined && { remainingItemCount: page.remainingItemCount }),
  };
}

const opening = {
  ADDED: '{"type":"ADDED","object":',
  MODIFIED: '{"type":"MODIFIED","object":',
  DELETED: '{"type":"DELETED","object":',
};

function jsonFrames(kind: Kind, items: JsonItems): Frames {
  const made = (type: Change["type"]) => (entry: Entry) =>
    frameOf([opening[type], items.entry(entry), "}\n"]);
  const makers = { ADDED: made("ADDED"), MODIFIED: made("MODIFIED"), DELETED: made("DELETED") };
  return {
    change: (change) =>
      change.left
        ? eventFrame(change.type, items.object(shownObject(change)))
        : change.entry.form(items.frames[change.type], makers[change.type]),
    bookmark: (revision, means) =>
      eventFrame("BOOKMARK", items.object(bookmarkObject(kind, revision, means))),
    error: (status) => eventFrame("ERROR", status),
  };
}

export const eventFrame = (type: string, object: unknown): Frame =>
  frameOf([`{"type":"${type}","object":${JSON.stringify(object)}}\n`]);
