import type { Kind } from "../../api/index.ts";
import {
  type MetricsResource,
  metricsGroup,
  metricsResources,
  metricsVersion,
} from "../metrics-api/resources.ts";
import type { Resources } from "../registry/resources.ts";
import type { ReviewResource } from "../reviews/index.ts";
import { connections } from "../subresources/connections.ts";
import { subresources } from "../subresources/index.ts";

/** A resource as clients discover it. */
export interface CatalogResource {
  resource: string;
  singular: string;
  kind: string;
  namespaced: boolean;
  verbs: readonly string[];
  shortNames: readonly string[];
  categories: readonly string[];
  subresources: readonly CatalogSubresource[];
}

export interface CatalogSubresource {
  name: string;
  type: { group: string; version: string; kind: string };
  verbs: readonly string[];
}

export interface CatalogGroup {
  group: string;
  /** The first is the preferred one. */
  versions: { version: string; resources: CatalogResource[] }[];
}

const kindVerbs = [
  "create",
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "update",
  "watch",
] as const;

/** All that is served, by group and version. */
export function catalogOf(resources: Resources, reviews: readonly ReviewResource[]): CatalogGroup[] {
  const groups = new Map<string, Map<string, CatalogResource[]>>();
  const add = (group: string, version: string, resource: CatalogResource) => {
    const versions = groups.get(group) ?? new Map<string, CatalogResource[]>();
    groups.set(group, versions.set(version, [...(versions.get(version) ?? []), resource]));
  };
  for (const { kind } of resources.all()) add(kind.group, kind.version, describeKind(kind));
  for (const each of metricsResources) add(metricsGroup, metricsVersion, describeMetrics(each));
  for (const review of reviews) add(review.group, review.version, describeReview(review));
  const byName = (a: { resource: string }, b: { resource: string }) => (a.resource < b.resource ? -1 : 1);
  return [...groups].map(([group, versions]) => ({
    group,
    versions: [...versions].map(([version, list]) => ({ version, resources: list.sort(byName) })),
  }));
}

function describeKind(kind: Kind): CatalogResource {
  const { group, version } = kind;
  return {
    resource: kind.resource,
    singular: kind.singular,
    kind: kind.kind,
    namespaced: kind.scope === "Namespaced",
    verbs: kindVerbs,
    shortNames: kind.shortNames,
    categories: kind.categories,
    subresources: [
      ...[...subresources.values()]
        .filter((each) => each.servedFor(kind))
        .map((each) => ({
          name: each.name,
          type: each.type ?? { group, version, kind: kind.kind },
          verbs: Object.keys(each.verbs).sort(),
        })),
      ...[...connections.values()]
        .filter((each) => kind.subresources?.includes(each.name))
        .map((each) => ({
          name: each.name,
          type: { group: "", version: "v1", kind: each.optionsKind },
          verbs: ["create", "get"],
        })),
      ...(kind.subresources?.includes("proxy")
        ? [
            {
              name: "proxy",
              type: { group: "", version: "v1", kind: `${kind.kind}ProxyOptions` },
              verbs: ["create", "delete", "get", "patch", "update"],
            },
          ]
        : []),
    ].sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function describeMetrics({ resource, kind, scope }: MetricsResource): CatalogResource {
  const namespaced = scope === "Namespaced";
  return {
    ...{ resource, kind, namespaced, singular: "", verbs: ["get", "list"] },
    ...{ shortNames: [], categories: [], subresources: [] },
  };
}

function describeReview(review: ReviewResource): CatalogResource {
  const { resource, singular, kind, namespaced } = review;
  return {
    resource,
    singular,
    kind,
    namespaced,
    verbs: ["create"],
    shortNames: [],
    categories: [],
    subresources: [],
  };
}
