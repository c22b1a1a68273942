import { apiVersionOf } from "../../machinery/index.ts";
import type { CatalogGroup, CatalogResource } from "./catalog.ts";

/*
 * Discovery as it was before it was aggregated: one document a group and version. Old clients and `kubectl api-resources`
 * of the first kinds read it. As `k8s.io/apiserver/pkg/endpoints/discovery`.
 */

const anyClient = (serverAddress: string) => [{ clientCIDR: "0.0.0.0/0", serverAddress }];

/** `/api`. */
export function apiVersions(groups: readonly CatalogGroup[], serverAddress: string) {
  const core = groups.find(({ group }) => group === "");
  return {
    kind: "APIVersions",
    versions: core?.versions.map(({ version }) => version) ?? [],
    serverAddressByClientCIDRs: anyClient(serverAddress),
  };
}

/** `/apis`. */
export function apiGroupList(groups: readonly CatalogGroup[]) {
  return {
    kind: "APIGroupList",
    apiVersion: "v1",
    groups: groups.filter(({ group }) => group !== "").map(groupBody),
  };
}

/** `/apis/<group>`. */
export function apiGroup(group: CatalogGroup) {
  return { kind: "APIGroup", apiVersion: "v1", ...groupBody(group) };
}

function groupBody({ group, versions }: CatalogGroup) {
  const described = versions.map(({ version }) => ({
    groupVersion: apiVersionOf({ group, version }),
    version,
  }));
  return { name: group, versions: described, preferredVersion: described[0] };
}

/** `/api/v1`, `/apis/<group>/<version>`. */
export function apiResourceList(group: string, version: string, resources: readonly CatalogResource[]) {
  return {
    kind: "APIResourceList",
    ...(group !== "" && { apiVersion: "v1" }),
    groupVersion: apiVersionOf({ group, version }),
    resources: resources.flatMap((resource) => [
      {
        name: resource.resource,
        singularName: resource.singular,
        namespaced: resource.namespaced,
        kind: resource.kind,
        verbs: resource.verbs,
        ...(resource.shortNames.length > 0 && { shortNames: resource.shortNames }),
        ...(resource.categories.length > 0 && { categories: resource.categories }),
      },
      ...resource.subresources.map(({ name, type, verbs }) => ({
        name: `${resource.resource}/${name}`,
        singularName: "",
        namespaced: resource.namespaced,
        ...((type.group !== group || type.version !== version) && {
          group: type.group,
          version: type.version,
        }),
        kind: type.kind,
        verbs,
      })),
    ]),
  };
}
