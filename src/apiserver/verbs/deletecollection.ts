import { isStatus, type KubeObject } from "../../machinery/index.ts";
import type { Call, Caller, Outcome, Serving } from "../context.ts";
import { deleteCollectionWorkers } from "../limits.ts";
import { decodeOptions } from "./decode.ts";
import { removeObject } from "./delete.ts";
import { deleteOptionsOf } from "./delete-options.ts";
import { listPage } from "./list.ts";

/**
 * DELETE of a collection: of every object that the selectors choose, as one DELETE each would. Not atomic; the first
 * failure ends it. Answers with the objects as they were listed.
 *
 * Counterpart upstream: `registry/generic/registry.Store.DeleteCollection`.
 */
export async function deleteCollection(serving: Serving, caller: Caller, call: Call): Promise<Outcome> {
  const body = decodeOptions(serving, call);
  const options = body ? deleteOptionsOf(body) : call.options;
  const page = await listPage(serving, call);
  const left = [...page.entries].reverse();
  const worker = async () => {
    for (let entry = left.pop(); entry; entry = left.pop()) {
      if (caller.signal?.aborted) return;
      const { namespace, name }: KubeObject["metadata"] = entry.object.metadata;
      const one: Call = {
        verb: "delete",
        storage: call.storage,
        ...(namespace && { namespace }),
        name: name!,
        options: { ...options, ...(call.options.dryRun && { dryRun: call.options.dryRun }) },
      };
      try {
        await removeObject(serving, caller, one);
      } catch (error) {
        // Somebody else was quicker.
        if (!isStatus(error, "NotFound")) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(deleteCollectionWorkers, left.length) }, worker));
  return { is: "list", page };
}
