import { nodeRules } from "./builtin-roles.ts";
import type { Attributes, UserInfo } from "./contract.ts";
import { ruleAllows } from "./rules.ts";

/** The objects that a node may read only because a pod of its own refers to them, directly or through another. */
export type NodeResource =
  | "pods"
  | "secrets"
  | "configmaps"
  | "serviceaccounts"
  | "persistentvolumeclaims"
  | "persistentvolumes"
  | "resourceclaims"
  | "volumeattachments"
  | "resourceslices";

/** Whether a pod bound to the node refers to the object; reads from memory. `namespace` is undefined for cluster-wide objects. */
export type IsRelatedToNode = (
  nodeName: string,
  resource: NodeResource,
  namespace: string | undefined,
  name: string,
) => boolean | Promise<boolean>;

type ResourceAttributes = Extract<Attributes, { resource: string }>;

/** Allowed, or why not: empty when there is no particular reason. */
type Decision = "allowed" | { denied: string };

const allowed = "allowed";
const denied = (why = ""): Decision => ({ denied: why });

const nodeUserPrefix = "system:node:";
const nodesGroup = "system:nodes";

/** The node that a user is, if it is one: both the name and the group must say so. */
export function nodeNameOf({ name, groups }: UserInfo): string | undefined {
  return name.startsWith(nodeUserPrefix) && groups.includes(nodesGroup)
    ? name.slice(nodeUserPrefix.length)
    : undefined;
}

/**
 * Lets a node do what its own pods need, and no more: of secrets and config maps it reads those its pods name, of pods its own.
 * What a node may write is narrowed further by the NodeRestriction admission plugin.
 *
 * Counterpart upstream: `plugin/pkg/auth/authorizer/node`.
 */
export class NodeAuthorizer {
  readonly #isRelated: IsRelatedToNode;

  constructor(isRelated: IsRelatedToNode) {
    this.#isRelated = isRelated;
  }

  async authorize(nodeName: string, attributes: Attributes): Promise<Decision> {
    const own = "path" in attributes ? undefined : this.#ofResource(nodeName, attributes);
    if (own) return own;
    return nodeRules.some((rule) => ruleAllows(rule, attributes)) ? allowed : denied();
  }

  /** Undefined: the common rules decide. */
  #ofResource(nodeName: string, attributes: ResourceAttributes): Promise<Decision> | Decision | undefined {
    const { group, resource, subresource = "" } = attributes;
    switch (group ? `${resource}.${group}` : resource) {
      case "secrets":
      case "configmaps":
        return this.#read(nodeName, resource as NodeResource, attributes);
      case "persistentvolumeclaims":
        if (subresource === "status") return this.#status(nodeName, resource as NodeResource, attributes);
        return this.#get(nodeName, resource as NodeResource, attributes);
      case "persistentvolumes":
      case "resourceclaims.resource.k8s.io":
      case "volumeattachments.storage.k8s.io":
        return this.#get(nodeName, resource as NodeResource, attributes);
      case "serviceaccounts":
        return this.#serviceAccount(nodeName, attributes);
      case "leases.coordination.k8s.io":
        return lease(nodeName, attributes);
      case "csinodes.storage.k8s.io":
        return csiNode(nodeName, attributes);
      case "resourceslices.resource.k8s.io":
        return this.#resourceSlice(nodeName, attributes);
      case "nodes":
        return node(nodeName, attributes);
      case "pods":
        return this.#pod(nodeName, attributes);
      default:
        return undefined;
    }
  }

  #read(nodeName: string, resource: NodeResource, attributes: ResourceAttributes) {
    if (!["get", "list", "watch"].includes(attributes.verb))
      return denied("can only read resources of this type");
    if (attributes.subresource) return denied("cannot read subresource");
    if (!attributes.namespace) return denied("can only read namespaced object of this type");
    return this.#related(nodeName, resource, attributes);
  }

  #get(nodeName: string, resource: NodeResource, attributes: ResourceAttributes) {
    if (attributes.verb !== "get") return denied("can only get individual resources of this type");
    if (attributes.subresource) return denied("cannot get subresource");
    return this.#related(nodeName, resource, attributes);
  }

  #status(nodeName: string, resource: NodeResource, attributes: ResourceAttributes) {
    if (attributes.verb !== "update" && attributes.verb !== "patch") {
      return denied("can only get/update/patch this type");
    }
    return this.#related(nodeName, resource, attributes);
  }

  #serviceAccount(nodeName: string, attributes: ResourceAttributes) {
    const { verb, subresource, name } = attributes;
    if (verb === "get" && !subresource) return this.#read(nodeName, "serviceaccounts", attributes);
    if (verb !== "create" || !name) return denied("can only create tokens for individual service accounts");
    if (subresource !== "token") return denied("can only create token subresource of serviceaccount");
    return this.#related(nodeName, "serviceaccounts", attributes);
  }

  #resourceSlice(nodeName: string, attributes: ResourceAttributes) {
    if (attributes.subresource) return denied("cannot authorize ResourceSlice subresources");
    switch (attributes.verb) {
      case "create":
        return allowed;
      case "get":
      case "update":
      case "patch":
      case "delete":
        return this.#related(nodeName, "resourceslices", attributes);
      case "list":
      case "watch":
      case "deletecollection":
        return selects(attributes, "spec.nodeName", nodeName)
          ? allowed
          : denied("can only list/watch/deletecollection resourceslices with nodeName field selector");
      default:
        return denied();
    }
  }

  #pod(nodeName: string, attributes: ResourceAttributes) {
    const { verb, subresource = "", name } = attributes;
    switch (subresource) {
      case "":
        if (verb === "get") return this.#get(nodeName, "pods", attributes);
        if (verb === "create" || verb === "delete") return allowed;
        if (verb !== "list" && verb !== "watch") return denied();
        if (selects(attributes, "spec.nodeName", nodeName)) return allowed;
        if (name) return this.#related(nodeName, "pods", attributes);
        return denied("can only list/watch pods with spec.nodeName field selector");
      case "status":
        return verb === "update" || verb === "patch" ? allowed : denied();
      case "eviction":
        return verb === "create" ? allowed : denied();
      default:
        return denied();
    }
  }

  async #related(
    nodeName: string,
    resource: NodeResource,
    { namespace, name }: ResourceAttributes,
  ): Promise<Decision> {
    if (!name) return denied("No Object name found");
    return (await this.#isRelated(nodeName, resource, namespace, name))
      ? allowed
      : denied(`no relationship found between node '${nodeName}' and this object`);
  }
}

/** Any node may write: admission sees to it that it writes only its own. */
function node(nodeName: string, { verb, subresource = "", name }: ResourceAttributes): Decision {
  switch (subresource) {
    case "":
      if (["create", "update", "patch"].includes(verb) || name === nodeName) {
        return ["create", "update", "patch", "get", "list", "watch"].includes(verb) ? allowed : denied();
      }
      if (!["get", "list", "watch"].includes(verb)) return denied();
      return name
        ? denied(`node '${nodeName}' cannot read '${name}', only its own Node object`)
        : denied(`node '${nodeName}' cannot read all nodes, only its own Node object`);
    case "status":
      return verb === "update" || verb === "patch" ? allowed : denied();
    default:
      return denied();
  }
}

const ownObjectVerbs = ["get", "create", "update", "patch", "delete"];

function lease(nodeName: string, { verb, namespace, name }: ResourceAttributes): Decision {
  if (!ownObjectVerbs.includes(verb))
    return denied("can only get, create, update, patch, or delete a node lease");
  if (namespace !== "kube-node-lease") {
    return denied('can only access leases in the "kube-node-lease" system namespace');
  }
  return verb === "create" || name === nodeName
    ? allowed
    : denied("can only access node lease with the same name as the requesting node");
}

function csiNode(nodeName: string, { verb, subresource, name }: ResourceAttributes): Decision {
  if (!ownObjectVerbs.includes(verb))
    return denied("can only get, create, update, patch, or delete a CSINode");
  if (subresource) return denied("cannot authorize CSINode subresources");
  return verb === "create" || name === nodeName
    ? allowed
    : denied("can only access CSINode with the same name as the requesting node");
}

/** Whether the field selector asks for exactly this value (all its requirements hold at once). */
function selects({ fieldSelector, name }: ResourceAttributes, field: string, value: string): boolean {
  if (field === "metadata.name" && name === value) return true;
  return (fieldSelector ?? "").split(",").some((requirement) => {
    const [key, ...rest] = requirement.split(/==?/);
    return key?.trim() === field && rest.join("=").trim() === value;
  });
}
