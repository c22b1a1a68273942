import type { Kind } from "../../api/index.ts";
import { assert } from "../../base/index.ts";
import {
  badRequest,
  fieldInvalid,
  invalid,
  jsonPatch,
  type KubeObject,
  mergePatch,
  notFound,
  strategicMergePatch,
  unsupportedMediaType,
} from "../../machinery/index.ts";
import type { Call, Caller, Outcome, Serving } from "../context.ts";
import { thaw } from "../registry/json-value.ts";
import { conform, decodeOther, parseBody } from "../verbs/decode.ts";
import { type ObjectChange, updateObject } from "../verbs/update-object.ts";
import type { Subresource } from "./subresource.ts";

const scaleType = { group: "autoscaling", version: "v1", kind: "Scale" };

/** How many replicas there are and should be, the same for every kind. */
export const scale: Subresource = {
  name: "scale",
  servedFor: (kind) => kind.scale !== undefined,
  type: scaleType,
  verbs: { get: getScale, update: updateScale, patch: patchScale },
};

async function getScale(_serving: Serving, _caller: Caller, call: Call): Promise<Outcome> {
  const entry = await call.storage.get(call.storage.key(call.namespace, call.name!));
  if (!entry) throw notFound(call.storage.groupResource, call.name!);
  return answer(call.storage.kind, entry.object);
}

async function updateScale(serving: Serving, caller: Caller, call: Call): Promise<Outcome> {
  const wanted = decodeOther(serving, caller, call, scaleType);
  return write(serving, caller, call, () => wanted);
}

async function patchScale(serving: Serving, caller: Caller, call: Call): Promise<Outcome> {
  if (!call.body) throw badRequest("the body of the request was empty, and must be a patch");
  const { value, duplicates } = parseBody(call.body, serving.schemas, "find");
  const schema = serving.schemas.kind(scaleType.group, scaleType.version, scaleType.kind);
  assert(schema, "Scale is a type of its own");
  return write(serving, caller, call, (current) => {
    const patched = () => {
      switch (call.patchType) {
        case "json":
          return jsonPatch(current, value);
        case "merge":
          return mergePatch(current, value);
        case "strategic":
          return strategicMergePatch(schema, current, value, serving.schemas);
        default:
          throw unsupportedMediaType(["application/json-patch+json", "application/merge-patch+json"]);
      }
    };
    const mode = call.options.fieldValidation ?? "Warn";
    return conform(serving, caller, thaw(patched()), { ...scaleType, schema }, { mode, duplicates });
  });
}

/** Writes the replicas that `wanted` makes of the current Scale. */
async function write(
  serving: Serving,
  caller: Caller,
  call: Call,
  wanted: (current: KubeObject) => KubeObject,
): Promise<Outcome> {
  const { kind } = call.storage;
  const change: ObjectChange = {
    make: (old) => {
      const asked = wanted(scaleOf(kind, old!));
      const replicas = asked.spec?.replicas ?? 0;
      if (asked.metadata.name !== call.name) {
        throw badRequest(
          `the name of the object (${asked.metadata.name}) does not match the name on the URL (${call.name})`,
        );
      }
      if (replicas < 0) {
        throw invalid(scaleType, call.name!, [
          fieldInvalid("spec.replicas", replicas, "must be greater than or equal to 0"),
        ]);
      }
      const object = thaw(old!);
      kind.scale!.setReplicas(object, replicas);
      object.metadata.resourceVersion = asked.metadata.resourceVersion;
      object.metadata.uid = asked.metadata.uid || object.metadata.uid;
      return object;
    },
    part: "main",
    createIfAbsent: "never",
    fieldsOwned: "track",
  };
  const outcome = await updateObject(serving, caller, call, change);
  assert(outcome.is === "entry" || outcome.is === "object", "an update answers with an object");
  return answer(kind, outcome.is === "entry" ? outcome.entry.object : outcome.object);
}

const answer = (kind: Kind, object: KubeObject): Outcome => ({
  is: "object",
  code: 200,
  object: scaleOf(kind, object),
});

function scaleOf(kind: Kind, object: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const scale = kind.scale!;
  const selector = scale.selector(object);
  return {
    kind: scaleType.kind,
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: scale.specReplicas(object) ?? 0 },
    status: { replicas: scale.statusReplicas(object) ?? 0, ...(selector && { selector }) },
  };
}
