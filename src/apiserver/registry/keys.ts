import { badRequest } from "../../machinery/index.ts";

/*
 * Keys of the store: `/registry/<group>/<resource>/<namespace>/<name>`, the group `core` for the one without a name.
 * As kube-apiserver's etcd layout, but that every resource has its group, so that two groups may share a name.
 */

/** Of all objects of a resource, or of those of one namespace. */
export function keyPrefix(group: string, resource: string, namespace?: string): string {
  const all = `/registry/${group || "core"}/${resource}/`;
  return namespace ? `${all}${namespace}/` : all;
}

/** Refuses what would reach outside its prefix. As `k8s.io/apimachinery/pkg/api/validation/path`. */
export function requirePathSegment(parameter: "Name" | "Namespace", value: string): void {
  const why =
    value === "." || value === ".."
      ? `may not be '${value}'`
      : value.includes("/")
        ? "may not contain '/'"
        : value.includes("%")
          ? "may not contain '%'"
          : undefined;
  if (why) throw badRequest(`${parameter} parameter invalid: ${JSON.stringify(value)}: ${why}`);
}
