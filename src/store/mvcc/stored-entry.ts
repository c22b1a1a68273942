import { isAscii } from "node:buffer";
import { deepFreeze } from "../../base/index.ts";
import type { Entry, Revision } from "../store.ts";
import { HotCache, HotCell } from "./hot-cache.ts";
import type { RecordFields } from "./record.ts";

/** What all entries of a store share: the room for what is made from their bytes. */
export interface HotCaches {
  parsed: HotCache;
  forms: HotCache;
}

/**
 * Counted in bytes of JSON; the objects take about five times as much. What is written is read at once, by informers, and then
 * seldom: kept longer, objects would be moved among the old ones only to be collected there.
 */
export const parsedBytesMax = 3 * 2 ** 20;
/** Rows, metadata and protobuf of some 20,000 objects. */
export const formsBytesMax = 24 * 2 ** 20;
/** What a form costs besides its bytes, and what one without bytes is taken for. */
const formOverheadBytes = 160;
const formOpaqueBytes = 512;

export function createHotCaches(): HotCaches {
  return {
    parsed: new HotCache({ bytesMax: parsedBytesMax }),
    forms: new HotCache({ bytesMax: formsBytesMax }),
  };
}

interface Form {
  of: symbol;
  cell: HotCell<unknown>;
  next: Form | undefined;
}

/** An entry in memory: its bytes always, other forms while hot. */
export class StoredEntry implements Entry {
  readonly key: string;
  readonly revision: Revision;
  readonly bytes: Buffer;
  /** Wall time, or 0 for never. */
  readonly expiresAtMs: number;
  readonly #caches: HotCaches;
  #parsed: HotCell<object> | undefined;
  /** False while `#parsed` holds what the draft handed in: most of it is never read, so freezing waits. */
  #frozen = false;
  #forms: Form | undefined;

  constructor(caches: HotCaches, key: string, record: RecordFields, object?: object) {
    this.key = key;
    this.revision = record.revision;
    this.bytes = record.bytes;
    this.expiresAtMs = record.expiresAtMs;
    this.#caches = caches;
    if (object) this.#keep(object);
  }

  get object(): any {
    const hot = this.#parsed?.take();
    if (hot !== undefined && this.#frozen) return hot;
    this.#frozen = true;
    if (hot !== undefined) return deepFreeze(hot);
    const object = deepFreeze(JSON.parse(textOf(this.bytes)));
    this.#keep(object);
    return object;
  }

  form<T>(of: symbol, make: (entry: Entry) => T): T {
    let form = this.#forms;
    while (form && form.of !== of) form = form.next;
    if (!form) this.#forms = form = { of, cell: new HotCell(), next: this.#forms };
    const hot = form.cell.take();
    if (hot !== undefined) return hot as T;
    const made = make(this);
    if (made !== undefined) this.#caches.forms.fill(form.cell, made, sizeOf(made));
    return made;
  }

  /** It is read no more: what was made of its bytes goes at once, and does not wait to be pushed out by others. */
  release(): void {
    if (this.#parsed) this.#caches.parsed.empty(this.#parsed);
    for (let form = this.#forms; form; form = form.next) this.#caches.forms.empty(form.cell);
  }

  #keep(object: object): void {
    this.#parsed ??= new HotCell();
    this.#caches.parsed.fill(this.#parsed, object, this.bytes.length);
  }
}

/** Most objects are ASCII, and then need no decoding. */
const textOf = (bytes: Buffer) => bytes.toString(isAscii(bytes) ? "latin1" : "utf8");

function sizeOf(form: unknown): number {
  if (Buffer.isBuffer(form) || typeof form === "string") return form.length + formOverheadBytes;
  return formOpaqueBytes;
}
