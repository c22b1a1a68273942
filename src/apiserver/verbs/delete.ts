import { conflict, type KubeObject, notFound, type Status } from "../../machinery/index.ts";
import type { Entry } from "../../store/index.ts";
import type { Call, Caller, Outcome, Serving } from "../context.ts";
import { guaranteedUpdate, type Write } from "../registry/guaranteed-update.ts";
import { sameJson } from "../registry/json-value.ts";
import type { KindStorage } from "../registry/kind-storage.ts";
import { admissionRequest, admitMutating, admitValidating, isDryRun } from "./admission.ts";
import { decodeOptions } from "./decode.ts";
import { deleteOptionsOf } from "./delete-options.ts";
import { planDeletion } from "./deletion-plan.ts";

/** DELETE of one object. Counterpart upstream: `registry/generic/registry.Store.Delete`. */
export async function deleteObject(serving: Serving, caller: Caller, given: Call): Promise<Outcome> {
  const body = decodeOptions(serving, given);
  const call = body ? { ...given, options: { ...given.options, ...deleteOptionsOf(body) } } : given;
  return removeObject(serving, caller, call);
}

/** Deletes the object that `call` names, as its options say. */
export async function removeObject(serving: Serving, caller: Caller, call: Call): Promise<Outcome> {
  const { storage } = call;
  const name = call.name!;
  /** What an answer without a write shows. */
  let decided: KubeObject | undefined;
  let removed = false;

  const decide = async (current: Entry | undefined): Promise<Write> => {
    if (!current) throw notFound(storage.groupResource, name);
    const old: KubeObject = current.object;
    requirePreconditions(call, old);
    const plan = planDeletion(storage.kind, old, call.options, serving.clock.now());
    decided = old;
    if (plan.do === "wait") return { do: "nothing" };
    const admission = admissionRequest(serving, call, caller, { operation: "DELETE", name, old });
    await admitMutating(serving, admission);
    await admitValidating(serving, admission);
    removed = plan.do === "remove";
    decided = plan.do === "remove" ? plan.last : plan.object;
    if (isDryRun(call)) return { do: "nothing" };
    if (plan.do === "remove") return { do: "delete", last: plan.last };
    return sameJson(plan.object, old) ? { do: "nothing" } : { do: "put", object: plan.object };
  };

  const written = await guaranteedUpdate(storage, storage.key(call.namespace, name), name, decide);
  const shows = storage.kind.strategy.returnsDeletedObject || !removed;
  if (!shows) return { is: "object", code: 200, object: deletedStatus(storage, decided!) };
  return written.did === "nothing"
    ? { is: "object", code: 200, object: decided! }
    : { is: "entry", code: 200, entry: written.entry };
}

function requirePreconditions(call: Call, old: KubeObject): void {
  const { preconditions } = call.options;
  if (!preconditions) return;
  const { uid, resourceVersion } = old.metadata;
  const resource = call.storage.groupResource;
  if (preconditions.uid !== undefined && preconditions.uid !== uid) {
    throw conflict(
      resource,
      call.name!,
      `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
    );
  }
  if (preconditions.resourceVersion !== undefined && preconditions.resourceVersion !== resourceVersion) {
    throw conflict(
      resource,
      call.name!,
      `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
    );
  }
}

/** What a client can tell from that the object is gone, not just waiting for finalizers. `kind` is the resource, as upstream. */
function deletedStatus(storage: KindStorage, object: KubeObject): KubeObject {
  const { group, resource } = storage.groupResource;
  const status: Status = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: {
      name: object.metadata.name!,
      ...(group && { group }),
      kind: resource,
      uid: object.metadata.uid!,
    },
  };
  return status as KubeObject;
}
