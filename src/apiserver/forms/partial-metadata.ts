import type { Kind } from "../../api/index.ts";
import type { KubeObject } from "../../machinery/index.ts";
import type { Entry } from "../../store/index.ts";
import type { Form } from "./form.ts";
import { jsonFormOf } from "./json.ts";

const metadataForm = Symbol("partial metadata");
const metadataFrames = {
  ADDED: Symbol("partial added"),
  MODIFIED: Symbol("partial modified"),
  DELETED: Symbol("partial deleted"),
};
const apiVersion = "meta.k8s.io/v1";

/** Objects without their spec, status and data. As `metav1.PartialObjectMetadata`. */
export function partialMetadataForm(kind: Kind): Form {
  return jsonFormOf(kind, {
    list: { kind: "PartialObjectMetadataList", apiVersion },
    entry: partialMetadataBytes,
    object: partialMetadataOf,
    cost: "made",
    frames: metadataFrames,
  });
}

export function partialMetadataBytes(entry: Entry): Buffer {
  return entry.form(metadataForm, ({ object }) => Buffer.from(JSON.stringify(partialMetadataOf(object))));
}

export function partialMetadataOf(object: KubeObject): KubeObject {
  // The answer to a delete, or a failure.
  if (object.kind === "Status" && object.apiVersion === "v1") return object;
  return { kind: "PartialObjectMetadata", apiVersion, metadata: object.metadata };
}
