import type { CatalogGroup, CatalogResource } from "./catalog.ts";

/** The versions in which the aggregated document is offered, the best first; kubectl 1.26 to 1.29 know the second. */
export const aggregatedVersions = ["v2", "v2beta1"] as const;
export type AggregatedVersion = (typeof aggregatedVersions)[number];

/** Everything in one document. As `apidiscovery.k8s.io/v2.APIGroupDiscoveryList`. */
export function apiGroupDiscoveryList(groups: readonly CatalogGroup[], version: AggregatedVersion) {
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map(({ group, versions }) => ({
      metadata: { ...(group && { name: group }), creationTimestamp: null },
      versions: versions.map((each) => ({
        version: each.version,
        resources: each.resources.map((resource) => resourceBody(group, each.version, resource)),
        freshness: "Current",
      })),
    })),
  };
}

function resourceBody(group: string, version: string, resource: CatalogResource) {
  return {
    resource: resource.resource,
    responseKind: { group, version, kind: resource.kind },
    scope: resource.namespaced ? "Namespaced" : "Cluster",
    singularResource: resource.singular,
    verbs: resource.verbs,
    ...(resource.shortNames.length > 0 && { shortNames: resource.shortNames }),
    ...(resource.categories.length > 0 && { categories: resource.categories }),
    ...(resource.subresources.length > 0 && {
      subresources: resource.subresources.map(({ name, type, verbs }) => ({
        subresource: name,
        responseKind: type,
        verbs,
      })),
    }),
  };
}
