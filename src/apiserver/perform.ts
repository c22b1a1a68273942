import { badRequest, methodNotAllowed, noSuchResource } from "../machinery/index.ts";
import { authorizeResource } from "./authorize.ts";
import type { Call, Caller, Outcome, Serving } from "./context.ts";
import { connections } from "./subresources/connections.ts";
import { subresources } from "./subresources/index.ts";
import { create } from "./verbs/create.ts";
import { deleteObject } from "./verbs/delete.ts";
import { deleteCollection } from "./verbs/deletecollection.ts";
import { get } from "./verbs/get.ts";
import { list } from "./verbs/list.ts";
import { patch } from "./verbs/patch.ts";
import { update } from "./verbs/update.ts";

/** One way for every request, over HTTPS or in the process: authorization, then its verb. */
export async function perform(serving: Serving, caller: Caller, call: Call): Promise<Outcome> {
  await authorizeResource(serving, caller, call);
  return performAuthorized(serving, caller, call);
}

/** For requests whose body is read only once they are known to be allowed. */
export function performAuthorized(serving: Serving, caller: Caller, call: Call): Promise<Outcome> {
  if (call.subresource) return performSubresource(serving, caller, call, call.subresource);
  switch (call.verb) {
    case "get":
      return get(serving, call);
    case "list":
      return list(serving, call);
    case "create":
      return create(serving, caller, call);
    case "update":
      return update(serving, caller, call);
    case "patch":
      return patch(serving, caller, call);
    case "delete":
      return deleteObject(serving, caller, call);
    case "deletecollection":
      return deleteCollection(serving, caller, call);
  }
}

async function performSubresource(
  serving: Serving,
  caller: Caller,
  call: Call,
  name: string,
): Promise<Outcome> {
  if (connections.has(name) && call.storage.kind.subresources?.includes(name)) {
    throw badRequest("unable to upgrade: missing upgrade headers in request");
  }
  const subresource = subresources.get(name);
  if (!subresource?.servedFor(call.storage.kind)) throw noSuchResource();
  const verb = subresource.verbs[call.verb];
  if (!verb) throw methodNotAllowed("the server does not allow this method on the requested resource");
  return verb(serving, caller, call);
}
