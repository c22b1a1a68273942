import { Turn } from "../../base/index.ts";
import { badRequest, invalid, resourceExpired, type StatusError } from "../../machinery/index.ts";
import {
  CompactedError,
  type Entry,
  FutureRevisionError,
  type Range,
  type Revision,
  type Store,
} from "../../store/index.ts";
import type { Call, ListPage, Outcome, Serving } from "../context.ts";
import { listPageSize } from "../limits.ts";
import { decodeContinue, encodeContinue } from "../registry/continue-token.ts";
import type { KindStorage } from "../registry/kind-storage.ts";
import { parseResourceVersion, tooLargeResourceVersion } from "../registry/resource-version.ts";
import { type Selection, selectionOf } from "../registry/selection.ts";

/** GET of a collection. Counterpart upstream: `storage/etcd3.store.GetList`. */
export async function list(serving: Serving, call: Call): Promise<Outcome> {
  return { is: "list", page: await listPage(serving, call) };
}

/** Where a list starts, and as of when. */
interface ListStart {
  store: Store;
  prefix: string;
  /** 0: now. */
  at: Revision;
  after?: string;
}

export async function listPage(serving: Serving, call: Call): Promise<ListPage> {
  const { storage, options } = call;
  const selection = selectionOf(storage.kind, options, call.name);
  const start = startOf(serving, call);
  const { kind } = storage;
  const namespace = call.namespace ?? selection.namespace;
  if (selection.name !== undefined && (namespace !== undefined || kind.scope === "Cluster")) {
    return onlyNamed(storage, storage.key(namespace, selection.name), selection, start.at);
  }
  const limit = options.limit ?? 0;
  const { entries, range, last } = await collect(serving, start, selection, limit);
  const page: ListPage = { kind, entries, revision: range.revision };
  if (range.remaining > 0 && last) {
    page.continue = encodeContinue({ revision: range.revision, after: last.key.slice(start.prefix.length) });
    // With a selector nobody knows how many of the rest it selects.
    if (!testOf(selection)) page.remainingItemCount = range.remaining;
  }
  return page;
}

/** One object by name, where a selector asks for it: kubectl's `get NAME -w`, and what kubelets ask of one pod. */
async function onlyNamed(
  storage: KindStorage,
  key: string,
  selection: Selection,
  at: Revision,
): Promise<ListPage> {
  // The key itself is the first of those that begin with it.
  const { entries, revision } = await storage.store.range(key, { limit: 1, at });
  const found = entries.filter((entry) => entry.key === key && (selection.matches?.(entry) ?? true));
  return { kind: storage.kind, entries: found, revision };
}

/** Reads pages until enough objects are selected. The last range tells what is left. */
async function collect(
  serving: Serving,
  start: ListStart,
  selection: Selection,
  limit: number,
): Promise<{ entries: Entry[]; range: Range; last: Entry | undefined }> {
  const matches = testOf(selection);
  const found: Entry[] = [];
  const turn = new Turn(serving.clock);
  let { at, after } = start;
  for (;;) {
    // Without a limit, everything: entries are references, and what they hold is in memory anyway.
    const wanted = limit > 0 ? (matches ? Math.max(limit, listPageSize) : limit) : undefined;
    const range = await rangeOf(start, { at, after, limit: wanted });
    at = range.revision;
    const { entries } = range;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      if (matches) {
        if (turn.isOver) await turn.yield();
        if (!matches(entry)) continue;
      }
      found.push(entry);
      if (limit > 0 && found.length === limit) {
        const remaining = range.remaining + (entries.length - 1 - i);
        return { entries: found, range: { ...range, remaining }, last: entry };
      }
    }
    after = entries.at(-1)?.key;
    if (range.remaining === 0 || after === undefined) return { entries: found, range, last: undefined };
    if (turn.isOver) await turn.yield();
  }
}

/** The whole of a selection as one test: a name in all namespaces is one too. */
function testOf({ name, matches }: Selection): ((entry: Entry) => boolean) | undefined {
  if (name === undefined) return matches;
  return (entry) => entry.key.endsWith(`/${name}`) && (matches?.(entry) ?? true);
}

async function rangeOf(
  start: ListStart,
  options: { at: Revision; after: string | undefined; limit: number | undefined },
): Promise<Range> {
  try {
    return await start.store.range(start.prefix, {
      at: options.at,
      ...(options.after !== undefined && { after: options.after }),
      ...(options.limit !== undefined && { limit: options.limit }),
    });
  } catch (error) {
    if (error instanceof CompactedError) throw expired(start, options.after);
    if (error instanceof FutureRevisionError) throw tooLargeResourceVersion(options.at, error.head);
    throw error;
  }
}

/** A list that goes on past compaction: the client may start anew, or go on at the newest state. */
function expired(start: ListStart, after: string | undefined): StatusError {
  if (!after) {
    return resourceExpired("The resourceVersion for the provided list is too old.");
  }
  const error = resourceExpired(
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
  );
  error.status.metadata = {
    continue: encodeContinue({ revision: -1, after: after.slice(start.prefix.length) }),
  };
  return error;
}

/** As `storage.ResolveResourceVersion…`: what the four parameters together mean. */
function startOf(serving: Serving, call: Call): ListStart {
  const { options, storage } = call;
  const { continue: token, resourceVersion, resourceVersionMatch } = options;
  const prefix = storage.prefixOf(call.namespace);
  const { store } = storage;
  requireMatchAllowed(call);
  if (token) {
    if (resourceVersion && resourceVersion !== "0") {
      throw badRequest("specifying resource version is not allowed when using continue");
    }
    const { revision, after } = decodeContinue(token);
    return { store, prefix, at: Math.max(revision, 0), after: prefix + after };
  }
  if (!resourceVersion) return { store, prefix, at: 0 };
  const asked = parseResourceVersion(resourceVersion);
  if (asked > serving.store.head) throw tooLargeResourceVersion(asked, serving.store.head);
  // A limit without a match is exact, as it was before there was a match.
  const exact = resourceVersionMatch === "Exact" || (!resourceVersionMatch && (options.limit ?? 0) > 0);
  return { store, prefix, at: exact ? asked : 0 };
}

/** As `metainternalversion/validation.ValidateListOptions`. */
function requireMatchAllowed(call: Call): void {
  const { continue: token, resourceVersion, resourceVersionMatch: match } = call.options;
  if (!match) return;
  const refuse = (reason: string, message: string) =>
    invalid({ group: "meta.k8s.io", kind: "ListOptions" }, "", [
      { reason, message, field: "resourceVersionMatch" },
    ]);
  if (match !== "Exact" && match !== "NotOlderThan") {
    throw refuse(
      "FieldValueNotSupported",
      `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`,
    );
  }
  if (!resourceVersion) {
    throw refuse(
      "FieldValueForbidden",
      "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
    );
  }
  if (token) {
    throw refuse(
      "FieldValueForbidden",
      "Forbidden: resourceVersionMatch is forbidden when continue is provided",
    );
  }
  if (match === "Exact" && resourceVersion === "0") {
    throw refuse(
      "FieldValueForbidden",
      'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
    );
  }
}
