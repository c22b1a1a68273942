import { badRequest } from "../../machinery/index.ts";

/** What a path is about: a resource, or one of the server's own pages. */
export type Path = ResourcePath | { to: "page"; path: string };

export interface ResourcePath {
  to: "resource";
  group: string;
  version: string;
  resource: string;
  namespace?: string;
  name?: string;
  subresource?: string;
  /** What follows the subresource (`proxy`). */
  rest?: string;
  /** The old `/watch/` before the resource. */
  prefixedWatch?: true;
}

/** Under a namespace's name these are parts of the namespace, not resources in it. As `request.namespaceSubresources`. */
const namespaceSubresources = new Set(["status", "finalize"]);

/** Reads a path (without the query). As `k8s.io/apiserver/pkg/endpoints/request.RequestInfoFactory`. */
export function parsePath(path: string): Path {
  const isCore = path.startsWith("/api/");
  if (!isCore && !path.startsWith("/apis/")) return { to: "page", path };
  const parts = path.split("/");
  if (parts.at(-1) === "") parts.pop();
  const first = isCore ? 3 : 4;
  if (parts.length <= first) return { to: "page", path };
  if (path.includes("%")) decodeParts(parts);
  const group = isCore ? "" : parts[2]!;
  const version = parts[first - 1]!;
  let at = first;
  const found: ResourcePath = { to: "resource", group, version, resource: "" };
  if (parts[at] === "watch" && parts.length > at + 1) {
    found.prefixedWatch = true;
    at++;
  }
  if (parts[at] === "namespaces" && parts.length > at + 2 && !namespaceSubresources.has(parts[at + 2]!)) {
    found.namespace = parts[at + 1]!;
    at += 2;
  }
  found.resource = parts[at]!;
  if (parts.length > at + 1) found.name = parts[at + 1]!;
  if (parts.length > at + 2) found.subresource = parts[at + 2]!;
  if (parts.length > at + 3) found.rest = parts.slice(at + 3).join("/");
  return found;
}

function decodeParts(parts: string[]): void {
  for (let i = 0; i < parts.length; i++) {
    try {
      parts[i] = decodeURIComponent(parts[i]!);
    } catch {
      throw badRequest("the path of the request has an invalid escape");
    }
  }
}
