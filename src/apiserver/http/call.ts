import type { PatchType, Verb } from "../../client/index.ts";
import { methodNotAllowed, noSuchResource, unsupportedMediaType } from "../../machinery/index.ts";
import type { Body, Call, Query } from "../context.ts";
import { requestBodyBytesMax } from "../limits.ts";
import type { KindStorage } from "../registry/kind-storage.ts";
import type { Exchange } from "./exchange.ts";
import type { ResourcePath } from "./path.ts";
import { queryOptions } from "./query-options.ts";

const methodsOfCollection: Record<string, Verb> = {
  GET: "list",
  HEAD: "list",
  POST: "create",
  DELETE: "deletecollection",
};
const methodsOfObject: Record<string, Verb> = {
  GET: "get",
  HEAD: "get",
  POST: "create",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};
const patchTypes: Record<string, PatchType> = {
  "application/json-patch+json": "json",
  "application/merge-patch+json": "merge",
  "application/strategic-merge-patch+json": "strategic",
  "application/apply-patch+yaml": "apply",
};
const bodyTypes: Record<string, "json" | "yaml" | "protobuf"> = {
  "application/json": "json",
  "application/yaml": "yaml",
  "application/vnd.kubernetes.protobuf": "protobuf",
};

/** What a request asks for; its body is still to be read. */
export function callOf(query: Query | undefined, storage: KindStorage, path: ResourcePath, verb: Verb): Call {
  const call: Call = { verb, storage, options: queryOptions(query, verb) };
  if (path.namespace !== undefined) call.namespace = path.namespace;
  if (path.name !== undefined) call.name = path.name;
  if (path.subresource !== undefined) call.subresource = path.subresource;
  if (query) call.query = query;
  return call;
}

/** Adds the body that the verb takes. */
export async function addBody(exchange: Exchange, call: Call): Promise<void> {
  if (call.verb === "get" || call.verb === "list") return;
  if (call.verb !== "patch") {
    call.body = await readBody(exchange);
    return;
  }
  const patchType = patchTypes[mediaTypeOf(exchange.header("content-type"))];
  if (!patchType) throw unsupportedMediaType(Object.keys(patchTypes));
  call.patchType = patchType;
  call.body = { as: "bytes", bytes: await exchange.readBody(requestBodyBytesMax), mediaType: "json" };
}

/** The verb of a method on a path; a 405 for what cannot be done there. */
export function verbOf(method: string, path: ResourcePath): Verb {
  const verb = (path.name === undefined ? methodsOfCollection : methodsOfObject)[method];
  const misses = verb === "create" && path.name !== undefined && path.subresource === undefined;
  if (!verb || misses)
    throw methodNotAllowed("the server does not allow this method on the requested resource");
  return verb;
}

/** An object of a namespace has one in its path, and no other has; only to read, all namespaces are one. */
export function requireScope({ kind }: KindStorage, path: ResourcePath, verb: Verb): void {
  const isNamespaced = kind.scope === "Namespaced";
  if (!isNamespaced && path.namespace !== undefined) throw noSuchResource();
  if (!isNamespaced || path.namespace !== undefined || path.prefixedWatch) return;
  if (path.name !== undefined) throw noSuchResource();
  if (verb !== "list")
    throw methodNotAllowed("the server does not allow this method on the requested resource");
}

const mediaTypeOf = (header: string | undefined) => (header ?? "").split(";", 1)[0]!.trim().toLowerCase();

/** A body by its `Content-Type`; JSON when there is none. */
export async function readBody(exchange: Exchange): Promise<Body> {
  const contentType = mediaTypeOf(exchange.header("content-type"));
  const mediaType = contentType === "" ? "json" : bodyTypes[contentType];
  if (!mediaType) throw unsupportedMediaType(Object.keys(bodyTypes));
  return { as: "bytes", bytes: await exchange.readBody(requestBodyBytesMax), mediaType };
}
