import {
  alreadyExists,
  badRequest,
  formatTime,
  invalid,
  isStatus,
  type KubeObject,
} from "../../machinery/index.ts";
import { type Entry, StaleError } from "../../store/index.ts";
import type { Call, Caller, Outcome, Serving } from "../context.ts";
import { generateNameTriesMax } from "../limits.ts";
import { thaw } from "../registry/json-value.ts";
import { dedupOwnerReferences, ensureNamespace, fillForCreate, generateName } from "../registry/metadata.ts";
import { admissionRequest, admitMutating, admitValidating, isDryRun } from "./admission.ts";
import { decodeObject } from "./decode.ts";
import { trackManager } from "./managed-fields.ts";
import { validateForCreate } from "./validate.ts";

/** POST of a new object. Counterpart upstream: `registry/generic/registry.Store.Create`. */
export async function create(serving: Serving, caller: Caller, call: Call): Promise<Outcome> {
  const given = decodeObject(serving, caller, call);
  const { generateName: base, name } = given.metadata;
  if (name || !base) return createNamed(serving, caller, call, given);
  for (let tries = 1; ; tries++) {
    const object = thaw(given);
    object.metadata.name = generateName(base, serving.random);
    try {
      return await createNamed(serving, caller, call, object);
    } catch (error) {
      if (!isStatus(error, "AlreadyExists") || tries >= generateNameTriesMax) throw error;
    }
  }
}

async function createNamed(
  serving: Serving,
  caller: Caller,
  call: Call,
  object: KubeObject,
): Promise<Outcome> {
  const { storage } = call;
  if (object.metadata.resourceVersion) {
    throw badRequest("resourceVersion should not be set on objects to be created");
  }
  ensureNamespace(storage.kind, object.metadata, call.namespace);
  await prepareNewObject(serving, caller, call, object, "track");
  const name = object.metadata.name!;
  const key = storage.key(call.namespace, name);
  if (isDryRun(call)) {
    const current = await storage.get(key);
    if (current) throw exists(call, name, current);
    return { is: "object", code: 201, object };
  }
  try {
    return { is: "entry", code: 201, entry: await storage.put(key, object, 0) };
  } catch (error) {
    throw error instanceof StaleError ? exists(call, name, error.current) : error;
  }
}

function exists(call: Call, name: string, current: Entry | undefined) {
  const error = alreadyExists(call.storage.groupResource, name);
  if (current?.object.metadata.deletionTimestamp) {
    error.status.message = `object is being deleted: ${error.status.message}`;
  }
  return error;
}

/**
 * Makes of a decoded object what will be stored: admission, system fields, validation.
 * As `rest.BeforeCreate` between the two kinds of admission.
 */
export async function prepareNewObject(
  serving: Serving,
  caller: Caller,
  call: Call,
  object: KubeObject,
  fieldsOwned: "track" | "applied",
): Promise<void> {
  const { kind } = call.storage;
  const { strategy } = kind;
  const { metadata } = object;
  const admission = admissionRequest(serving, call, caller, {
    operation: "CREATE",
    name: metadata.name ?? "",
    object,
  });
  fillForCreate(kind, metadata, serving.random.uuid(), formatTime(serving.clock.now()));
  dedupOwnerReferences(metadata, (message) => caller.warn(message));
  if (fieldsOwned === "track") trackManager(serving, caller, call, object, undefined);
  await admitMutating(serving, admission);
  strategy.prepareForCreate?.(object, serving.clock.now());
  const causes = validateForCreate(kind, object, serving.schemas);
  if (causes.length > 0) throw invalid(kind, metadata.name ?? "", causes);
  for (const warning of strategy.warnings?.(object, undefined) ?? []) caller.warn(warning);
  await admitValidating(serving, admission);
}
