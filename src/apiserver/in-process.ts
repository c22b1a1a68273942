import type { UserInfo } from "../auth/index.ts";
import type {
  ApiRequest,
  ApiResult,
  Transport,
  WatchEvent,
  WatchRequest,
  WatchSink,
} from "../client/index.ts";
import { apiVersionOf, badRequest, internalError, type KubeObject, StatusError } from "../machinery/index.ts";
import { authorizeResource } from "./authorize.ts";
import type { Call, Caller, ListPage, Outcome, Serving } from "./context.ts";
import { bookmarkObject, shownObject } from "./forms/shown-object.ts";
import { perform } from "./perform.ts";
import { selectionOf } from "./registry/selection.ts";
import { openWatch, requireValidStart, type WatchConsumer, type WatchStart } from "./verbs/watch.ts";

/**
 * How a component of this process reaches the server: the same authorization, admission and validation as over HTTPS,
 * and no HTTP, no JSON. Objects that come back are the stored ones: frozen, and shared by all.
 */
export function inProcessTransport(serving: Serving, user: UserInfo): Transport {
  const callerOf = (signal: AbortSignal | undefined): Caller => ({
    user,
    userAgent: agentOf(user),
    signal,
    warn: (message) => serving.log.debug({ user: user.name, warning: message }, "a component was warned"),
  });
  return {
    request: async (request) =>
      resultOf(await perform(serving, callerOf(request.signal), callOf(serving, request))),
    watch: (request, sink) => startWatch(serving, callerOf(undefined), request, sink),
  };
}

/** Who is named in `managedFields`: the program that upstream would be, `kube-scheduler`, `kubelet`… */
function agentOf({ name }: UserInfo): string {
  return name.startsWith("system:node:") ? "kubelet" : name.replace(/^system:/, "");
}

function callOf(serving: Serving, request: ApiRequest): Call {
  const { group, version, resource } = request.resource;
  const { patch } = request;
  return {
    verb: request.verb,
    storage: serving.resources.get(group, version, resource),
    ...(request.subresource && { subresource: request.subresource }),
    ...(request.namespace && { namespace: request.namespace }),
    ...(request.name && { name: request.name }),
    ...(request.body && { body: { as: "object", object: request.body } }),
    ...(patch && { body: { as: "object", object: patch.body }, patchType: patch.type }),
    options: request.options ?? {},
  };
}

function resultOf(outcome: Outcome): ApiResult {
  switch (outcome.is) {
    case "entry":
      return { object: outcome.entry.object };
    case "object":
      return { object: outcome.object };
    case "list":
      return { object: listObject(outcome.page), items: outcome.page.entries };
    case "stream":
      outcome.stream.destroy();
      throw badRequest("this subresource is a stream, which a transport does not carry");
  }
}

/** Its items are parsed when they are read: an informer holds on to the entries instead. */
function listObject(page: ListPage): unknown {
  let items: KubeObject[] | undefined;
  return {
    kind: `${page.kind.kind}List`,
    apiVersion: apiVersionOf(page.kind),
    metadata: {
      resourceVersion: String(page.revision),
      ...(page.continue && { continue: page.continue }),
      ...(page.remainingItemCount !== undefined && { remainingItemCount: page.remainingItemCount }),
    },
    get items() {
      items ??= page.entries.map((entry) => entry.object as KubeObject);
      return items;
    },
  };
}

function startWatch(
  serving: Serving,
  caller: Caller,
  request: WatchRequest,
  sink: WatchSink,
): { close(): void } {
  let isOver = false;
  let watch: { close(): void } | undefined;
  const end = (error: Error | undefined) => {
    if (isOver) return;
    isOver = true;
    sink.onClose(error);
  };
  const open = async () => {
    const { group, version, resource } = request.resource;
    const storage = serving.resources.get(group, version, resource);
    await authorizeResource(serving, caller, { ...request, storage, verb: "watch", options: request });
    if (isOver) return;
    const selection = selectionOf(storage.kind, request, request.name);
    const consumer: WatchConsumer = {
      onInitial: (entries) =>
        deliver(
          sink,
          entries.map((entry) => ({ type: "ADDED", object: entry.object, ref: entry })),
        ),
      onChanges: (changes) =>
        deliver(
          sink,
          changes.map((change) => ({
            type: change.type,
            object: shownObject(change),
            ...(!change.left && { ref: change.entry }),
          })),
        ),
      onBookmark: (revision, means) =>
        deliver(sink, [{ type: "BOOKMARK", object: bookmarkObject(storage.kind, revision, means) }]),
      onEnd: end,
    };
    const start: WatchStart = {
      storage,
      selection,
      ...(request.namespace && { namespace: request.namespace }),
      ...(request.resourceVersion && { resourceVersion: request.resourceVersion }),
      ...(request.sendInitialEvents !== undefined && {
        sendInitialEvents: request.sendInitialEvents,
        resourceVersionMatch: "NotOlderThan",
      }),
      allowWatchBookmarks: request.allowWatchBookmarks || request.sendInitialEvents === true,
    };
    requireValidStart(start);
    watch = openWatch(serving, start, consumer);
  };
  open().catch((error: unknown) =>
    end(
      error instanceof StatusError
        ? error
        : internalError(error instanceof Error ? error.message : String(error)),
    ),
  );
  return {
    close: () => {
      if (isOver) return;
      isOver = true;
      watch?.close();
    },
  };
}

function deliver(sink: WatchSink, events: readonly WatchEvent<any>[]): void {
  if (events.length > 0) sink.onEvents(events);
}
