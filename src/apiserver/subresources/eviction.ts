import { badRequest, type KubeObject, type Status } from "../../machinery/index.ts";
import type { Call, Caller, Outcome, Serving } from "../context.ts";
import { decodeOther } from "../verbs/decode.ts";
import { removeObject } from "../verbs/delete.ts";
import { deleteOptionsOf } from "../verbs/delete-options.ts";
import { namedBy, type Subresource } from "./subresource.ts";

const evictionType = { group: "policy", version: "v1", kind: "Eviction" };

/**
 * A deletion that disruption budgets may refuse; there are none yet, so that it is a DELETE with the Eviction's options.
 * Counterpart upstream: `pkg/registry/core/pod/storage.EvictionREST`.
 */
export const eviction: Subresource = {
  name: "eviction",
  servedFor: namedBy("eviction"),
  type: evictionType,
  verbs: { create: evict },
};

async function evict(serving: Serving, caller: Caller, call: Call): Promise<Outcome> {
  const given = decodeOther(serving, caller, call, evictionType);
  if (given.metadata.name && given.metadata.name !== call.name) {
    throw badRequest("name in URL does not match name in Eviction object");
  }
  const options = { ...call.options, ...deleteOptionsOf(given.deleteOptions ?? {}) };
  await removeObject(serving, caller, { ...call, verb: "delete", options });
  const done: Status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
  return { is: "object", code: 201, object: done as KubeObject };
}
