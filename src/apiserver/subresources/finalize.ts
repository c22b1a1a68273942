import { fieldInvalid, invalid, isQualifiedName } from "../../machinery/index.ts";
import type { Call, Caller, Outcome, Serving } from "../context.ts";
import { thaw } from "../registry/json-value.ts";
import { decodeObject } from "../verbs/decode.ts";
import { updateObject } from "../verbs/update-object.ts";
import { namedBy, type Subresource } from "./subresource.ts";

/** Where the namespace controller takes its finalizer out of `spec.finalizers`. */
export const finalize: Subresource = {
  name: "finalize",
  servedFor: namedBy("finalize"),
  verbs: { update: updateFinalizers },
};

async function updateFinalizers(serving: Serving, caller: Caller, call: Call): Promise<Outcome> {
  const given = decodeObject(serving, caller, call);
  const finalizers: string[] = given.spec?.finalizers ?? [];
  const errors = finalizers.flatMap((finalizer, i) =>
    isQualifiedName(finalizer).map((why) => fieldInvalid(`spec.finalizers[${i}]`, finalizer, why)),
  );
  if (errors.length > 0) throw invalid(call.storage.kind, call.name!, errors);
  return updateObject(serving, caller, call, {
    make: (old) => {
      const object = thaw(old!);
      object.spec = { ...object.spec };
      if (finalizers.length > 0) object.spec.finalizers = finalizers;
      else delete object.spec.finalizers;
      object.metadata.resourceVersion = given.metadata.resourceVersion;
      if (given.metadata.uid) object.metadata.uid = given.metadata.uid;
      return object;
    },
    part: "other",
    createIfAbsent: "never",
    fieldsOwned: "track",
  });
}
