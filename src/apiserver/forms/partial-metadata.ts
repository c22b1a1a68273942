import type { Kind } from "../../api/index.ts";
import type { KubeObject } from "../../machinery/index.ts";
import type { Entry } from "../../store/index.ts";
import type { Form } from "./form.ts";
import { jsonFormOf } from "./json.ts";

/** Of `meta.k8s.io`; they differ in name only, and older clients ask for the older one. */
export type MetaVersion = "v1" | "v1beta1";

const newForms = () => ({
  entry: Symbol("partial metadata"),
  frames: {
    ADDED: Symbol("partial added"),
    MODIFIED: Symbol("partial modified"),
    DELETED: Symbol("partial deleted"),
  },
});
const forms = { v1: newForms(), v1beta1: newForms() };

/** Objects without their spec, status and data. As `metav1.PartialObjectMetadata`. */
export function partialMetadataForm(kind: Kind, version: MetaVersion = "v1"): Form {
  return jsonFormOf(kind, {
    list: { kind: "PartialObjectMetadataList", apiVersion: `meta.k8s.io/${version}` },
    entry: (entry) => partialMetadataBytes(entry, version),
    object: (object) => partialMetadataOf(object, version),
    cost: "made",
    frames: forms[version].frames,
  });
}

function partialMetadataBytes(entry: Entry, version: MetaVersion): Buffer {
  return entry.form(forms[version].entry, ({ object }) =>
    Buffer.from(JSON.stringify(partialMetadataOf(object, version))),
  );
}

export function partialMetadataOf(object: KubeObject, version: MetaVersion = "v1"): KubeObject {
  // The answer to a delete, or a failure.
  if (object.kind === "Status" && object.apiVersion === "v1") return object;
  return {
    kind: "PartialObjectMetadata",
    apiVersion: `meta.k8s.io/${version}`,
    metadata: object.metadata,
  };
}
