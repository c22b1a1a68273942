import type { GroupVersionResource } from "../../machinery/index.ts";
import type { ApiRequest, RequestOptions, WatchRequest } from "../transport.ts";

/** One request as HTTP sees it. */
export interface HttpRequest {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  contentType?: string;
  body?: string;
}

const patchTypes = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  // YAML is what upstream's type says; JSON is YAML.
  apply: "application/apply-patch+yaml",
} as const;

/** How the API's verbs look over HTTP. Counterpart upstream: client-go's `rest.Request`. */
export function httpRequestOf(request: ApiRequest): HttpRequest {
  const { verb, options = {} } = request;
  const path = pathOf(request);
  const json = (body: unknown) => ({ contentType: "application/json", body: JSON.stringify(body) });
  switch (verb) {
    case "get":
      return { method: "GET", path: path + query({ resourceVersion: options.resourceVersion }) };
    case "list":
      return { method: "GET", path: path + query(selection(options)) };
    case "create":
      return { method: "POST", path: path + query(writing(options)), ...json(request.body) };
    case "update":
      return { method: "PUT", path: path + query(writing(options)), ...json(request.body) };
    case "patch":
      return {
        method: "PATCH",
        path: path + query({ ...writing(options), force: options.force }),
        contentType: patchTypes[request.patch!.type],
        body: JSON.stringify(request.patch!.body),
      };
    case "delete":
      return { method: "DELETE", path, ...json(deleteOptions(options)) };
    case "deletecollection":
      return { method: "DELETE", path: path + query(selection(options)), ...json(deleteOptions(options)) };
  }
}

export function watchPathOf(request: WatchRequest): string {
  const { name, fieldSelector, resourceVersion, allowWatchBookmarks, sendInitialEvents } = request;
  const ofName = name === undefined ? undefined : `metadata.name=${name}`;
  return (
    pathOf({ ...request, name: undefined }) +
    query({
      watch: true,
      labelSelector: request.labelSelector,
      fieldSelector: [ofName, fieldSelector].filter(Boolean).join(",") || undefined,
      resourceVersion,
      allowWatchBookmarks,
      sendInitialEvents,
      resourceVersionMatch: sendInitialEvents ? "NotOlderThan" : undefined,
    })
  );
}

interface Place {
  resource: GroupVersionResource;
  namespace?: string;
  name?: string;
  subresource?: string;
}

function pathOf({ resource: { group, version, resource }, namespace, name, subresource }: Place): string {
  const parts = group === "" ? ["api", version] : ["apis", group, version];
  if (namespace) parts.push("namespaces", namespace);
  parts.push(resource);
  if (name !== undefined) parts.push(name);
  if (subresource !== undefined) parts.push(subresource);
  return `/${parts.map(encodeURIComponent).join("/")}`;
}

const selection = ({
  labelSelector,
  fieldSelector,
  resourceVersion,
  resourceVersionMatch,
  limit,
  continue: token,
}: RequestOptions) => ({
  labelSelector,
  fieldSelector,
  resourceVersion,
  resourceVersionMatch,
  limit,
  continue: token,
});

const writing = ({ dryRun, fieldManager, fieldValidation }: RequestOptions) => ({
  dryRun,
  fieldManager,
  fieldValidation,
});

function deleteOptions({ gracePeriodSeconds, propagationPolicy, preconditions, dryRun }: RequestOptions) {
  return {
    apiVersion: "v1",
    kind: "DeleteOptions",
    gracePeriodSeconds,
    propagationPolicy,
    preconditions,
    dryRun,
  };
}

type QueryValue = string | number | boolean | readonly string[] | undefined;

function query(parameters: Record<string, QueryValue>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) search.append(name, String(one));
  }
  return search.size === 0 ? "" : `?${search}`;
}
