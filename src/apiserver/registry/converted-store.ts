import type { StoredAs } from "../../api/index.ts";
import { deepFreeze } from "../../base/index.ts";
import type { KubeObject } from "../../machinery/index.ts";
import type { Draft, Entry, Revision, Store, StoreEvent } from "../../store/index.ts";
import { StaleError } from "../../store/index.ts";
import { draftOf } from "./kind-storage.ts";

/**
 * A store as it looks in the form of another kind: the same keys and revisions, other objects. An entry is converted when
 * it is looked at, and kept with the stored one.
 */
export function convertedStore(store: Store, { toStored, fromStored }: StoredAs<any>): Store {
  const form = Symbol("converted");
  const convert = (entry: Entry): Entry =>
    entry.form(form, () => new ConvertedEntry(entry, fromStored as (object: KubeObject) => KubeObject));
  const stored =
    (draft: Draft): Draft =>
    (revision) =>
      draftOf(toStored(draft(revision).object as KubeObject))(revision);
  // The store gives all watchers of a prefix one array; what is made of it is shared as well.
  const batches = new WeakMap<readonly StoreEvent[], readonly StoreEvent[]>();
  const convertAll = (events: readonly StoreEvent[]): readonly StoreEvent[] => {
    let converted = batches.get(events);
    if (!converted) {
      converted = events.map((event) => ({
        ...event,
        entry: convert(event.entry),
        ...(event.previous && { previous: convert(event.previous) }),
      }));
      batches.set(events, converted);
    }
    return converted;
  };
  const write = async (writing: Promise<Entry>): Promise<Entry> => {
    try {
      return convert(await writing);
    } catch (error) {
      if (!(error instanceof StaleError) || !error.current) throw error;
      throw new StaleError(error.current.key, convert(error.current));
    }
  };
  return {
    get head() {
      return store.head;
    },
    get compacted() {
      return store.compacted;
    },
    async get(key) {
      const entry = await store.get(key);
      return entry && convert(entry);
    },
    async range(prefix, options) {
      const range = await store.range(prefix, options);
      return { ...range, entries: range.entries.map(convert) };
    },
    count: (prefix) => store.count(prefix),
    put: (key, draft, options) => write(store.put(key, stored(draft), options)),
    delete: (key, draft, options) => write(store.delete(key, stored(draft), options)),
    watch: (prefix, options, watcher) =>
      store.watch(prefix, options, {
        onEvents: (events) => watcher.onEvents(convertAll(events)),
        onClose: (error) => watcher.onClose?.(error),
      }),
    compact: (revision) => store.compact(revision),
    close: () => store.close(),
  };
}

class ConvertedEntry implements Entry {
  readonly key: string;
  readonly revision: Revision;
  readonly #entry: Entry;
  readonly #fromStored: (object: KubeObject) => KubeObject;
  readonly #forms = new Map<symbol, unknown>();
  #object: KubeObject | undefined;
  #bytes: Buffer | undefined;

  constructor(entry: Entry, fromStored: (object: KubeObject) => KubeObject) {
    this.key = entry.key;
    this.revision = entry.revision;
    this.#entry = entry;
    this.#fromStored = fromStored;
  }

  get object(): KubeObject {
    this.#object ??= deepFreeze(this.#fromStored(this.#entry.object));
    return this.#object;
  }

  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(JSON.stringify(this.object));
    return this.#bytes;
  }

  form<T>(of: symbol, make: (entry: Entry) => T): T {
    if (!this.#forms.has(of)) this.#forms.set(of, make(this));
    return this.#forms.get(of) as T;
  }
}
