import { internalError, invalid, resourceExpired, StatusError } from "../../machinery/index.ts";
import {
  CompactedError,
  type Entry,
  FutureRevisionError,
  type Revision,
  type StoreEvent,
} from "../../store/index.ts";
import type { Serving } from "../context.ts";
import type { KindStorage } from "../registry/kind-storage.ts";
import { parseResourceVersion, tooLargeResourceVersion } from "../registry/resource-version.ts";
import type { Selection } from "../registry/selection.ts";

/** One event of a watch, as a reference to the revision it is about. */
export interface Change {
  type: "ADDED" | "MODIFIED" | "DELETED";
  /** The revision; shown, unless `left` is set. */
  entry: Entry;
  /** The object no longer matches: shown is this last state that did, with `entry`'s revision. */
  left?: Entry;
}

/** Where a watch's events go. Called synchronously; must not throw. */
export interface WatchConsumer {
  /** The state at the start of the watch, if asked for; once, before all else. */
  onInitial(entries: readonly Entry[]): void;
  onChanges(changes: readonly Change[]): void;
  /** Everything up to `revision` has been delivered. `initial-events-end`: and this ends the initial state. */
  onBookmark(revision: Revision, means: "progress" | "initial-events-end"): void;
  /** The watch is over: a Status for the client, or nothing when the server ends it in good order. */
  onEnd(error: StatusError | undefined): void;
}

export interface WatchStart {
  storage: KindStorage;
  namespace?: string;
  selection: Selection;
  resourceVersion?: string;
  resourceVersionMatch?: string;
  sendInitialEvents?: boolean;
  allowWatchBookmarks?: boolean;
}

/**
 * A watch of one resource: its events from a revision on, or its current state and then its events.
 * What fails at the start or later reaches `onEnd`; see {@link requireValidStart} for what can be said before.
 *
 * Counterpart upstream: `apiserver/pkg/storage/cacher`.
 */
export function openWatch(serving: Serving, start: WatchStart, consumer: WatchConsumer): { close(): void } {
  const watch = new OpenWatch(serving, start, consumer);
  watch.open().catch((error: unknown) => watch.fail(error));
  return watch;
}

class OpenWatch {
  readonly #serving: Serving;
  readonly #start: WatchStart;
  readonly #consumer: WatchConsumer;
  /** The key, where one object is watched. */
  readonly #key: string | undefined;
  readonly #prefix: string;
  #isOver = false;
  #close: () => void = () => {};

  constructor(serving: Serving, start: WatchStart, consumer: WatchConsumer) {
    this.#serving = serving;
    this.#start = start;
    this.#consumer = consumer;
    const { storage, selection } = start;
    const namespace = start.namespace ?? selection.namespace;
    const oneKey =
      selection.name !== undefined && (storage.kind.scope === "Cluster" || namespace !== undefined);
    this.#key = oneKey ? storage.key(namespace, selection.name!) : undefined;
    this.#prefix = this.#key ?? storage.prefixOf(namespace);
  }

  async open(): Promise<void> {
    const { resourceVersion, sendInitialEvents } = this.#start;
    const after = resourceVersion ? parseResourceVersion(resourceVersion) : 0;
    const { store } = this.#start.storage;
    const wantsState = sendInitialEvents ?? after === 0;
    if (!wantsState) return this.#follow(after === 0 ? store.head : after);
    if (after > store.head) throw tooLargeResourceVersion(after, store.head);
    const range = await store.range(this.#prefix);
    if (this.#isOver) return;
    this.#consumer.onInitial(range.entries.filter((entry) => this.#selects(entry)));
    if (sendInitialEvents && this.#start.allowWatchBookmarks) {
      this.#consumer.onBookmark(range.revision, "initial-events-end");
    }
    if (!this.#isOver) this.#follow(range.revision);
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#close();
  }

  fail(error: unknown): void {
    if (this.#isOver) return;
    this.close();
    this.#consumer.onEnd(statusOf(error));
  }

  #follow(after: Revision): void {
    const { matches, name } = this.#start.selection;
    const everything = this.#key === undefined && matches === undefined && name === undefined;
    // Keys that begin with this one are watched along with it, and seldom change in the same commit.
    const oneObject = matches === undefined ? this.#key : undefined;
    const subscription = this.#start.storage.store.watch(
      this.#prefix,
      { after },
      {
        onEvents: (events) => {
          const isAll = everything || (events.length === 1 && events[0]!.entry.key === oneObject);
          const changes = isAll ? allChanges(events) : this.#changesOf(events);
          if (changes.length > 0) this.#consumer.onChanges(changes);
        },
        onClose: (error) => this.fail(error),
      },
    );
    const bookmarks = this.#start.allowWatchBookmarks ? this.#bookmarks() : undefined;
    this.#close = () => {
      bookmarks?.();
      subscription.close();
    };
    if (this.#isOver) this.#close();
  }

  #bookmarks(): () => void {
    return this.#serving.bookmarks.add(() => {
      this.#consumer.onBookmark(this.#serving.store.head, "progress");
    });
  }

  #selects(entry: Entry): boolean {
    const { name, matches } = this.#start.selection;
    if (
      this.#key !== undefined
        ? entry.key !== this.#key
        : name !== undefined && !entry.key.endsWith(`/${name}`)
    ) {
      return false;
    }
    return matches ? matches(entry) : true;
  }

  /** An object that enters the selection is ADDED, and one that leaves it DELETED, whatever happened to it. */
  #changesOf(events: readonly StoreEvent[]): Change[] {
    const changes: Change[] = [];
    for (const event of events) {
      const { entry, previous } = event;
      const before = previous !== undefined && this.#selects(previous);
      if (event.type === "delete") {
        if (before) changes.push({ type: "DELETED", entry });
        continue;
      }
      const now = this.#selects(entry);
      if (now) changes.push({ type: before ? "MODIFIED" : "ADDED", entry });
      else if (before) changes.push({ type: "DELETED", entry, left: previous });
    }
    return changes;
  }
}

/** The store gives all watches of a prefix the same array of events: so they share its changes too. */
let lastEvents: readonly StoreEvent[] | undefined;
let lastChanges: readonly Change[] = [];

function allChanges(events: readonly StoreEvent[]): readonly Change[] {
  if (events === lastEvents) return lastChanges;
  lastEvents = events;
  lastChanges = events.map((event) => ({
    type: event.type === "delete" ? "DELETED" : event.previous ? "MODIFIED" : "ADDED",
    entry: event.entry,
  }));
  return lastChanges;
}

/** Throws when the request makes no sense. As `metainternalversion/validation.ValidateListOptions` for a watch. */
export function requireValidStart(start: WatchStart): void {
  const { sendInitialEvents, resourceVersion, resourceVersionMatch, allowWatchBookmarks } = start;
  if (resourceVersion) parseResourceVersion(resourceVersion);
  const refuse = (field: string, message: string) =>
    invalid({ group: "meta.k8s.io", kind: "ListOptions" }, "", [
      { reason: "FieldValueForbidden", message: `Forbidden: ${message}`, field },
    ]);
  if (sendInitialEvents === undefined) {
    if (resourceVersionMatch) {
      throw refuse(
        "resourceVersionMatch",
        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
      );
    }
    return;
  }
  if (resourceVersionMatch !== "NotOlderThan") {
    throw refuse(
      "resourceVersionMatch",
      "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
    );
  }
  if (sendInitialEvents && !allowWatchBookmarks) {
    throw refuse("allowWatchBookmarks", "sendInitialEvents requires setting allowWatchBookmarks to true");
  }
}

function statusOf(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (error instanceof CompactedError)
    return resourceExpired(`too old resource version: the oldest is ${error.compacted}`);
  if (error instanceof FutureRevisionError) return tooLargeResourceVersion(0, error.head);
  return internalError(error instanceof Error ? error.message : String(error));
}
