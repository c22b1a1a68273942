import { notFound } from "../../machinery/index.ts";
import type { Call, Outcome, Serving } from "../context.ts";
import { parseResourceVersion, requireNotFuture } from "../registry/resource-version.ts";

/** GET of one object. Reads are never older than the newest acknowledged write, so that `resourceVersion` only bounds the future. */
export async function get(serving: Serving, call: Call): Promise<Outcome> {
  const { storage, options } = call;
  if (options.resourceVersion) {
    requireNotFuture(parseResourceVersion(options.resourceVersion), serving.store.head);
  }
  const entry = await storage.get(storage.key(call.namespace, call.name!));
  if (!entry) throw notFound(storage.groupResource, call.name!);
  return { is: "entry", code: 200, entry };
}
