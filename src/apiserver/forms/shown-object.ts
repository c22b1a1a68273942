import type { Kind } from "../../api/index.ts";
import { apiVersionOf, type KubeObject } from "../../machinery/index.ts";
import type { Entry, Revision } from "../../store/index.ts";
import type { Change } from "../verbs/watch.ts";

/** The annotation of the bookmark that ends a watch's initial state. */
const initialEventsEnd = "k8s.io/initial-events-end";

/** The object of a watch event. One that left the selection shows its last state there, at the revision of leaving. */
export function shownObject({ entry, left }: Change): KubeObject {
  return left ? leftObject(entry, left) : entry.object;
}

/** Not kept: several watches may have different last states for the same revision only if they select differently. */
function leftObject(entry: Entry, left: Entry): KubeObject {
  const last: KubeObject = left.object;
  return { ...last, metadata: { ...last.metadata, resourceVersion: String(entry.revision) } };
}

/** An object with nothing but a revision: how far the watch is. */
export function bookmarkObject(
  kind: Kind,
  revision: Revision,
  means: "progress" | "initial-events-end",
): KubeObject {
  return {
    kind: kind.kind,
    apiVersion: apiVersionOf(kind),
    metadata: {
      resourceVersion: String(revision),
      creationTimestamp: null,
      ...(means === "initial-events-end" && { annotations: { [initialEventsEnd]: "true" } }),
    },
  };
}
