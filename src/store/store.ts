/**
 * The revision log: one total order of writes, and an index of the current keys.
 *
 * - Revisions only grow; a revision is one write of one key, and is immutable.
 * - A write is acknowledged (its promise resolves) after it is durable; what is not yet durable
 *   is not seen by any reader or watcher.
 * - Writes are compare-and-set; concurrent writes share one fsync.
 * - A watch from revision R delivers every later event of its prefix once, in order, or fails with
 *   {@link CompactedError} at once.
 * - Keys and values are bounded ({@link keyBytesMax}, {@link valueBytesMax}).
 *
 * Counterpart upstream: `apiserver/pkg/storage.Interface` and etcd's v3 KV.
 */
export interface Store {
  /** The newest durable revision; 1 in an empty store (an etcd starts there, and 0 means "any" to clients). */
  readonly head: Revision;
  /** The oldest revision that can still be read or watched from. */
  readonly compacted: Revision;

  /** The current entry of a key. */
  get(key: string): Promise<Entry | undefined>;
  /** Keys that begin with `prefix`, in byte order. Throws {@link CompactedError}, {@link FutureRevisionError}. */
  range(prefix: string, options?: RangeOptions): Promise<Range>;
  /** How many keys begin with `prefix`, now. */
  count(prefix: string): Promise<number>;

  /**
   * Writes `key` when its current revision is `expect` (0: the key must be absent).
   * Throws {@link StaleError} with the current entry otherwise, {@link NoSpaceError} when the disk is full,
   * {@link TooLargeError} past the limits.
   */
  put(key: string, draft: Draft, options: PutOptions): Promise<Entry>;
  /** Removes `key` when its current revision is `expect`; the tombstone's bytes are `draft`'s (the last state, at its revision). */
  delete(key: string, draft: Draft, options: { expect: Revision }): Promise<Entry>;

  /**
   * Events after `after`, in batches, from now on until `close`. `onEvents` is called synchronously and
   * must not throw. Throws {@link CompactedError} or {@link FutureRevisionError} when it cannot start.
   */
  watch(prefix: string, options: { after: Revision }, watcher: Watcher): Subscription;

  /** Forgets history up to and including `revision`; current keys are kept. */
  compact(revision: Revision): Promise<void>;
  close(): Promise<void>;
}

export type Revision = number;

/** The bytes of an object, given the revision at which they will stand. Called once, or twice where an engine must retry. */
export type Draft = (revision: Revision) => { bytes: Buffer; object?: object };

/** One revision of one key. Immutable. */
export interface Entry {
  readonly key: string;
  readonly revision: Revision;
  /** The object's JSON, with this revision as its `metadata.resourceVersion`. */
  readonly bytes: Buffer;
  /** The parsed, frozen form; made at most once while it is hot. */
  readonly object: any;
  /** Other forms (a Table row, protobuf, metadata only) made at most once: `entry.form(key, make)`. */
  form<T>(of: symbol, make: (entry: Entry) => T): T;
}

export interface RangeOptions {
  /** Read as of this revision; 0 or absent: now. */
  at?: Revision;
  /** Only keys after this one. */
  after?: string;
  limit?: number;
}

export interface Range {
  entries: Entry[];
  /** The revision the range was read at. */
  revision: Revision;
  /** Keys left after the last entry. */
  remaining: number;
}

export interface PutOptions {
  expect: Revision;
  /** The key is deleted this long after the write; a later write without it cancels that. */
  ttlS?: number;
}

export type StoreEvent =
  | { type: "put"; entry: Entry; previous?: Entry }
  | { type: "delete"; entry: Entry; previous: Entry };

export interface Watcher {
  /** At least one event, in order of revision. */
  onEvents(events: readonly StoreEvent[]): void;
  /** The watch ended on the store's side. */
  onClose?(error: Error): void;
}

export interface Subscription {
  close(): void;
}

/** A key holds names of at most 253 bytes and a fixed path around them. */
export const keyBytesMax = 1_024;
/** As etcd's default request limit: 1.5 MiB. */
export const valueBytesMax = 1_572_864;

/** The key's current revision is not the expected one. */
export class StaleError extends Error {
  override name = "StaleError";
  readonly current: Entry | undefined;
  constructor(key: string, current: Entry | undefined) {
    super(`${key}: ${current ? `is at revision ${current.revision}` : "does not exist"}`);
    this.current = current;
  }
}
/** The revision's history is gone. */
export class CompactedError extends Error {
  override name = "CompactedError";
  readonly compacted: Revision;
  constructor(revision: Revision, compacted: Revision) {
    super(`revision ${revision} has been compacted; the oldest is ${compacted}`);
    this.compacted = compacted;
  }
}
/** The revision has not happened yet. */
export class FutureRevisionError extends Error {
  override name = "FutureRevisionError";
  readonly head: Revision;
  constructor(revision: Revision, head: Revision) {
    super(`revision ${revision} is in the future; the newest is ${head}`);
    this.head = head;
  }
}
/** The disk is full; the write did not happen. */
export class NoSpaceError extends Error {
  override name = "NoSpaceError";
}
/** A key or value past its limit. */
export class TooLargeError extends Error {
  override name = "TooLargeError";
}
