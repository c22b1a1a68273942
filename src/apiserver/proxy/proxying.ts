import type { Readable } from "node:stream";
import {
  badRequest,
  methodNotAllowed,
  noSuchResource,
  notFound,
  serviceUnavailable,
} from "../../machinery/index.ts";
import { authorizeAnyOf } from "../authorize.ts";
import type { Caller, Query, Serving } from "../context.ts";
import type { Exchange } from "../http/exchange.ts";
import type { UpgradeRequest } from "../http/listener.ts";
import type { ResourcePath } from "../http/path.ts";
import type { KindStorage } from "../registry/kind-storage.ts";
import { admissionRequest, admitMutating, admitValidating } from "../verbs/admission.ts";
import { forward } from "./forward.ts";
import { nodeSubresources } from "./node-subresources.ts";
import { podLocation, splitSchemeNamePort } from "./pod-location.ts";
import { forwardUpgrade } from "./upgrade.ts";

/** A request for something behind `/proxy`. */
export interface ProxyRequest {
  /** The path as it came, escapes and all. */
  rawPath: string;
  /** With its `?`, or empty. */
  search: string;
  query: Query | undefined;
  path: ResourcePath;
  storage: KindStorage;
}

/** The kubelet's own port: the only one of a node that is served. */
const agentPort = "10250";

export const isProxied = (storage: KindStorage, path: ResourcePath): boolean =>
  path.subresource === "proxy" &&
  path.name !== undefined &&
  (storage.kind.subresources?.includes("proxy") ?? false);

const verbs: Record<string, string> = {
  GET: "get",
  HEAD: "get",
  POST: "create",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

/** Who may, before anything of the request is read. A method without a verb is for those who may do all. */
export async function authorizeProxy(
  serving: Serving,
  caller: Caller,
  method: string,
  request: ProxyRequest,
): Promise<void> {
  const { path, storage } = request;
  const verb = verbs[method] ?? "";
  const subresources = isNode(storage) ? nodeSubresources(pathBehind(request)) : ["proxy"];
  await authorizeAnyOf(
    serving,
    caller,
    { storage, verb, namespace: path.namespace, name: path.name },
    subresources,
  );
  const call = { verb: "create", storage, options: {}, name: path.name!, subresource: "proxy" } as const;
  const admission = admissionRequest(
    serving,
    path.namespace === undefined ? call : { ...call, namespace: path.namespace },
    caller,
    { operation: "CONNECT", name: path.name! },
  );
  await admitMutating(serving, admission);
  await admitValidating(serving, admission);
}

/** Answers over HTTP. Returns the answer's code. */
export async function serveProxy(
  serving: Serving,
  exchange: Exchange,
  request: ProxyRequest,
  headers: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const behind = pathBehind(request);
  // Without its slash, links of the page would lead beside it.
  if (behind === "" && (exchange.method === "GET" || exchange.method === "HEAD")) {
    const location = `${request.rawPath}/${request.search}`;
    exchange.send(301, [...headers, "location", location], Buffer.alloc(0));
    return 301;
  }
  if (isNode(request.storage)) return servePage(serving, exchange, request, headers, signal);
  const { path, storage } = request;
  const location = await podLocation(serving, storage, path.namespace!, path.name!);
  return forward(
    exchange,
    {
      location,
      url: `${behind || "/"}${request.search}`,
      rewriting: rewritingOf(request, exchange.header("host") ?? exchange.header(":authority") ?? ""),
      headers,
    },
    signal,
  );
}

/** Takes the connection over. */
export async function serveProxyUpgrade(
  serving: Serving,
  upgrade: UpgradeRequest,
  request: ProxyRequest,
): Promise<void> {
  const { path, storage } = request;
  if (isNode(storage)) throw badRequest("the node's agent has nothing that can be upgraded");
  const location = await podLocation(serving, storage, path.namespace!, path.name!);
  await forwardUpgrade(upgrade, {
    location,
    url: `${pathBehind(request) || "/"}${request.search}`,
    rewriting: rewritingOf(request, upgrade.request.headers.host ?? ""),
  });
}

async function servePage(
  serving: Serving,
  exchange: Exchange,
  request: ProxyRequest,
  headers: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  if (exchange.method !== "GET" && exchange.method !== "HEAD")
    throw methodNotAllowed("the server does not allow this method on the requested resource");
  const { path, query, storage } = request;
  const split = splitSchemeNamePort(path.name!);
  if (!split) throw badRequest(`invalid node request ${JSON.stringify(path.name)}`);
  if (!(await storage.get(storage.key(undefined, split.name))))
    throw notFound(storage.groupResource, split.name);
  if (split.port !== "" && split.port !== agentPort)
    throw serviceUnavailable(
      `error trying to reach service: dial tcp ${split.name}:${split.port}: connect: connection refused`,
    );
  const node = await serving.nodes.connect(split.name);
  const page = await node.page({ path: decoded(pathBehind(request)), query: query ?? {} }, signal);
  const all = [...headers, "content-type", page.mediaType, ...(page.headers ?? [])];
  if (Buffer.isBuffer(page.body)) exchange.send(page.code, all, page.body);
  else sendStream(exchange, page.code, all, page.body);
  return page.code;
}

function sendStream(exchange: Exchange, code: number, headers: readonly string[], body: Readable): void {
  const answer = exchange.stream(code, headers);
  exchange.onClose(() => body.destroy());
  if (exchange.method === "HEAD") {
    body.destroy();
    answer.end();
    return;
  }
  body.once("error", () => exchange.destroy());
  body.pipe(answer.body);
}

const isNode = ({ kind }: KindStorage) => kind.scope === "Cluster";

/** What follows `/proxy`, as it came; empty where nothing does. */
function pathBehind({ rawPath, path }: ProxyRequest): string {
  const parts = rawPath.split("/");
  const before =
    (path.group === "" ? 3 : 4) + (path.prefixedWatch ? 1 : 0) + (path.namespace === undefined ? 0 : 2) + 3;
  return parts.length > before ? `/${parts.slice(before).join("/")}` : "";
}

function rewritingOf(request: ProxyRequest, host: string) {
  const behind = pathBehind(request);
  const { rawPath } = request;
  return { prefix: behind === "" ? rawPath : rawPath.slice(0, -behind.length), host };
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw noSuchResource();
  }
}
