import {
  type KubeObject,
  methodNotAllowed,
  noSuchResource,
  notAcceptable,
  notFound,
} from "../../machinery/index.ts";
import { authorizeMetrics } from "../authorize.ts";
import { type Caller, parameter, type Query, type Serving } from "../context.ts";
import type { ResourcePath } from "../http/path.ts";
import { flag, queryOptions } from "../http/query-options.ts";
import { listPage } from "../verbs/list.ts";
import { type MetricsResource, metricsGroup, metricsResources, metricsVersion } from "./resources.ts";
import { tableOf } from "./table.ts";
import { usageOf } from "./usage.ts";

/** Whether the path is one of metrics.k8s.io. */
export const metricsResourceOf = ({ group, version, resource }: ResourcePath): MetricsResource | undefined =>
  group === metricsGroup && version === metricsVersion
    ? metricsResources.find((each) => each.resource === resource)
    : undefined;

export interface MetricsRequest {
  method: string;
  path: ResourcePath;
  query: Query | undefined;
  /** How the client wants it. */
  as: "json" | "table" | "neither";
}

/**
 * NodeMetrics and PodMetrics, made of what the nodes' agents say at the moment. Counterpart upstream: metrics-server,
 * whose API it is.
 */
export async function serveMetrics(
  serving: Serving,
  caller: Caller,
  about: MetricsResource,
  { method, path, query, as }: MetricsRequest,
): Promise<object> {
  if (path.subresource !== undefined) throw noSuchResource();
  if (about.scope === "Cluster" && path.namespace !== undefined) throw noSuchResource();
  const isWatch = path.prefixedWatch || flag(query, "watch");
  if ((method !== "GET" && method !== "HEAD") || isWatch)
    throw methodNotAllowed("the server does not allow this method on the requested resource");
  if (as === "neither") throw notAcceptable(["application/json"]);
  const { namespace, name } = path;
  const resource = { group: metricsGroup, version: metricsVersion, resource: about.resource };
  await authorizeMetrics(serving, caller, resource, {
    verb: name === undefined ? "list" : "get",
    namespace,
    name,
  });
  const objects = await objectsOf(serving, about, path, query);
  const signal = caller.signal ?? new AbortController().signal;
  const names = objects.flatMap((object) => about.nodeOf(object) ?? []);
  const usage = await usageOf(serving, names, signal);
  const items = objects.flatMap((object): KubeObject[] => {
    const node = usage.get(about.nodeOf(object) ?? "");
    const metrics = node && about.metricsOf(object, node);
    return metrics ? [metrics] : [];
  });
  if (name !== undefined) {
    const [item] = items;
    if (!item) throw notFound(resource, namespace === undefined ? name : `${namespace}/${name}`);
    return as === "table" ? tableOf(about, items, includeOf(query), serving.clock.now()) : item;
  }
  if (as === "table") return tableOf(about, items, includeOf(query), serving.clock.now());
  return { kind: `${about.kind}List`, apiVersion: `${metricsGroup}/${metricsVersion}`, metadata: {}, items };
}

/** The objects that are asked about. */
async function objectsOf(
  serving: Serving,
  about: MetricsResource,
  { namespace, name }: ResourcePath,
  query: Query | undefined,
): Promise<KubeObject[]> {
  const storage = serving.resources.get("", "v1", about.resource);
  if (name !== undefined) {
    if (about.scope === "Namespaced" && namespace === undefined) throw noSuchResource();
    const entry = await storage.get(storage.key(namespace, name));
    return entry ? [entry.object] : [];
  }
  const { labelSelector, fieldSelector } = queryOptions(query, "list");
  const { entries } = await listPage(serving, {
    verb: "list",
    storage,
    ...(namespace !== undefined && { namespace }),
    options: { ...(labelSelector && { labelSelector }), ...(fieldSelector && { fieldSelector }) },
  });
  return entries.map(({ object }) => object);
}

const includeOf = (query: Query | undefined) => {
  const asked = parameter(query, "includeObject");
  return asked === "None" || asked === "Object" ? asked : "Metadata";
};
