import {
  apiVersionOf,
  applyPatch,
  badRequest,
  fieldRequired,
  invalid,
  jsonPatch,
  type KubeObject,
  mergePatch,
  parseYaml,
  strategicMergePatch,
} from "../../machinery/index.ts";
import type { Call, Caller, Outcome, Serving } from "../context.ts";
import { thaw } from "../registry/json-value.ts";
import { conform, expectedOf, parseBody, type Warned } from "./decode.ts";
import { notWrittenBy } from "./managed-fields.ts";
import { updateObject } from "./update-object.ts";

/** PATCH, in its four forms. Counterpart upstream: `endpoints/handlers.PatchResource`. */
export async function patch(
  serving: Serving,
  caller: Caller,
  call: Call,
  part: "main" | "status" | "named" = "main",
): Promise<Outcome> {
  if (!call.body) throw badRequest("the body of the request was empty, and must be a patch");
  if (call.patchType === "apply") return apply(serving, caller, call, part);
  const mode = call.options.fieldValidation ?? "Warn";
  const { value, duplicates } = parseBody(call.body, serving.schemas, mode === "Ignore" ? "ignore" : "find");
  const once = warnOnce(caller);
  return updateObject(serving, caller, call, {
    make: (old) => {
      const patched = thaw(patchedBy(serving, call, old!, value));
      return finish(serving, once, call, patched, { mode, duplicates });
    },
    part,
    createIfAbsent: "never",
    fieldsOwned: "track",
  });
}

/** The patched object; shares with `old` what the patch leaves alone. */
function patchedBy(serving: Serving, call: Call, old: KubeObject, value: unknown): unknown {
  switch (call.patchType) {
    case "json":
      return jsonPatch(old, value);
    case "merge":
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        throw badRequest("a merge patch must be an object");
      }
      return mergePatch(old, value);
    case "strategic":
      return strategicMergePatch(serving.schemas.type(call.storage.kind.schema), old, value, serving.schemas);
    default:
      throw badRequest(`unknown type of patch: ${call.patchType}`);
  }
}

async function apply(
  serving: Serving,
  caller: Caller,
  call: Call,
  part: "main" | "status" | "named",
): Promise<Outcome> {
  const { kind } = call.storage;
  const manager = call.options.fieldManager;
  if (!manager) {
    throw invalid({ group: "meta.k8s.io", kind: "PatchOptions" }, "", [
      fieldRequired("fieldManager", "is required for apply patch"),
    ]);
  }
  const body = call.body!;
  const { value } = body.as === "bytes" ? parseYaml(body.bytes) : { value: thaw(body.object) };
  const applied = requireConfiguration(call, value);
  const once = warnOnce(caller);
  return updateObject(serving, caller, call, {
    make: (live) => {
      const { object } = applyPatch({
        type: serving.schemas.type(kind.schema),
        registry: serving.schemas,
        live,
        applied,
        manager,
        force: call.options.force ?? false,
        apiVersion: apiVersionOf(kind),
        ...(call.subresource && { subresource: call.subresource }),
        nowMs: serving.clock.now(),
        resetFields: notWrittenBy(serving, call),
      });
      return finish(serving, once, call, thaw(object), { mode: "Warn", duplicates: [] });
    },
    part,
    createIfAbsent: part === "main" ? "allowed" : "never",
    fieldsOwned: "applied",
  });
}

function requireConfiguration(call: Call, value: unknown): KubeObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badRequest("error decoding YAML: an apply configuration must be an object");
  }
  const applied = value as KubeObject;
  applied.metadata ??= {};
  applied.metadata.name ??= call.name;
  if (call.storage.kind.scope === "Namespaced") applied.metadata.namespace ??= call.namespace;
  return applied;
}

function finish(
  serving: Serving,
  caller: Warned,
  call: Call,
  value: unknown,
  found: { mode: "Strict" | "Warn" | "Ignore"; duplicates: readonly string[] },
): KubeObject {
  const { kind } = call.storage;
  const object = conform(serving, caller, value, expectedOf(kind, serving.schemas), found);
  kind.strategy.applyDefaults?.(object);
  return object;
}

/** A patch that is applied again after a lost race says what it has to say once. */
function warnOnce(caller: Warned): Warned {
  const said = new Set<string>();
  return {
    warn: (message) => {
      if (said.has(message)) return;
      said.add(message);
      caller.warn(message);
    },
  };
}
