import type { Attributes } from "../auth/index.ts";
import { forbidden, type GroupVersionResource } from "../machinery/index.ts";
import { type Call, type Caller, resourceOf, type Serving } from "./context.ts";

type ResourceAttributes = Extract<Attributes, { resource: string }>;

/** Throws the 403 of a request that its user may not make. */
export function authorizeResource(
  serving: Serving,
  caller: Caller,
  what: Pick<Call, "storage" | "subresource" | "namespace" | "name"> & {
    verb: string;
    options?: { fieldSelector?: string };
  },
): Promise<void> {
  const resource = resourceOf(what.storage.kind);
  // A namespace is in itself: so that a role of one namespace can be about the namespace too.
  const namespace = resource.group === "" && resource.resource === "namespaces" ? what.name : what.namespace;
  const name = what.name ?? selectedName(what.options?.fieldSelector);
  const attributes: ResourceAttributes = {
    user: caller.user,
    verb: what.verb,
    ...resource,
    ...(what.subresource && { subresource: what.subresource }),
    ...(namespace && { namespace }),
    ...(name && { name }),
    ...(what.options?.fieldSelector && { fieldSelector: what.options.fieldSelector }),
  };
  return require(serving, attributes);
}

/** Throws unless the user may do it to one of the subresources; the refusal is about the last. */
export async function authorizeAnyOf(
  serving: Serving,
  caller: Caller,
  what: Pick<Call, "storage" | "namespace" | "name"> & { verb: string },
  subresources: readonly string[],
): Promise<void> {
  for (const [i, subresource] of subresources.entries()) {
    try {
      return await authorizeResource(serving, caller, { ...what, subresource });
    } catch (error) {
      if (i === subresources.length - 1) throw error;
    }
  }
}

/** A list or watch of one object by its name is about that object. As `request.RequestInfoFactory`. */
function selectedName(fieldSelector: string | undefined): string | undefined {
  return fieldSelector && /(?:^|,)metadata\.name==?([^,=!]+)/.exec(fieldSelector)?.[1];
}

/** The same for metrics, which are read and never stored. */
export function authorizeMetrics(
  serving: Serving,
  caller: Caller,
  resource: GroupVersionResource,
  { verb, namespace, name }: { verb: "get" | "list"; namespace?: string; name?: string },
): Promise<void> {
  return require(serving, {
    ...{ user: caller.user, verb, ...resource },
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
  });
}

/** The same for a resource that is only asked. */
export function authorizeReview(
  serving: Serving,
  caller: Caller,
  { group, version, resource }: GroupVersionResource,
  namespace: string | undefined,
): Promise<void> {
  const attributes = { user: caller.user, verb: "create", group, version, resource };
  return require(serving, namespace ? { ...attributes, namespace } : attributes);
}

async function require(serving: Serving, attributes: ResourceAttributes): Promise<void> {
  const { allowed, why } = await serving.authorizer.authorize(attributes);
  if (!allowed) throw forbidden(attributes, attributes.name ?? "", describe(attributes, why));
}

export async function authorizePath(
  serving: Serving,
  caller: Caller,
  verb: string,
  path: string,
): Promise<void> {
  const { allowed, why } = await serving.authorizer.authorize({ user: caller.user, verb, path });
  if (allowed) return;
  const what = `User ${JSON.stringify(caller.user.name)} cannot ${verb} path ${JSON.stringify(path)}`;
  throw forbidden({ group: "", resource: "" }, "", why ? `${what}: ${why}` : what);
}

/** As `responsewriters.forbiddenMessage`; people and tests match on it. */
function describe(attributes: ResourceAttributes, why: string | undefined): string {
  const { user, verb, group, resource, subresource, namespace } = attributes;
  const whole = subresource ? `${resource}/${subresource}` : resource;
  const where = namespace ? `in the namespace ${JSON.stringify(namespace)}` : "at the cluster scope";
  const what = `User ${JSON.stringify(user.name)} cannot ${verb} resource ${JSON.stringify(whole)} in API group ${JSON.stringify(group)} ${where}`;
  return why ? `${what}: ${why}` : what;
}
