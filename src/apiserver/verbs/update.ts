import type { Call, Caller, Outcome, Serving } from "../context.ts";
import { decodeObject } from "./decode.ts";
import { updateObject } from "./update-object.ts";

/** PUT: the object as a whole. Counterpart upstream: `endpoints/handlers.UpdateResource`. */
export async function update(
  serving: Serving,
  caller: Caller,
  call: Call,
  part: "main" | "status" | "named" = "main",
): Promise<Outcome> {
  const given = decodeObject(serving, caller, call);
  let used = false;
  return updateObject(serving, caller, call, {
    make: () => {
      // The first attempt may take the decoded object itself; after a lost race that one has been changed.
      if (used) return decodeObject(serving, { warn: () => {} }, call);
      used = true;
      return given;
    },
    part,
    createIfAbsent: part === "main" && call.storage.kind.strategy.allowCreateOnUpdate ? "allowed" : "never",
    fieldsOwned: "track",
  });
}
