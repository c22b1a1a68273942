import { isDeepStrictEqual } from "node:util";
import { unreachable } from "../../base/index.ts";
import { requestEntityTooLarge } from "../status.ts";
import { isObject, type JsonObject, ownValue, setOwn } from "./own-property.ts";
import { malformedPatch, patchDoesNotApply } from "./patch-error.ts";

export interface JsonPatchOperation {
  op: "add" | "remove" | "replace" | "move" | "copy" | "test";
  path: string;
  from?: string;
  value?: unknown;
}

/** As upstream's `maxJSONPatchOperations`: each operation costs a walk of the object. */
export const jsonPatchOperationsMax = 10_000;

/** As upstream's accumulated copy limit, twice a request's size: `copy` could double the object with each operation. */
export const jsonPatchCopiedBytesMax = 3 * 1024 * 1024;

/**
 * Applies an RFC 6902 patch and returns the new object. Neither `object` nor `operations` is changed, and what no operation
 * touches is shared. Throws a `StatusError`: 400 for what is no patch, 413 past the limits, 422 where an operation does not apply.
 */
export function jsonPatch(object: unknown, operations: unknown): any {
  if (!Array.isArray(operations)) throw malformedPatch("a JSON patch must be an array of operations");
  if (operations.length > jsonPatchOperationsMax) {
    throw requestEntityTooLarge(
      `The allowed maximum operations in a JSON patch is ${jsonPatchOperationsMax}, got ${operations.length}`,
    );
  }
  const document = new PatchedDocument(object);
  for (const [at, operation] of operations.entries()) apply(document, checked(operation, at));
  return document.root;
}

const needsValue = new Set(["add", "replace", "test"]);
const needsFrom = new Set(["move", "copy"]);

function checked(operation: unknown, at: number): JsonPatchOperation {
  if (!isObject(operation)) throw malformedPatch(`json patch operation ${at} is not an object`);
  const { op, path, from } = operation;
  if (typeof op !== "string" || !(op === "remove" || needsValue.has(op) || needsFrom.has(op))) {
    throw patchDoesNotApply(`unexpected kind: ${typeof op === "string" ? op : "unknown"}`);
  }
  if (typeof path !== "string") throw patchDoesNotApply(`${op} operation ${at} has no path`);
  if (needsFrom.has(op) && typeof from !== "string")
    throw patchDoesNotApply(`${op} operation ${at} has no from`);
  if (needsValue.has(op) && op !== "test" && !("value" in operation)) {
    throw patchDoesNotApply(`${op} operation ${at} has no value`);
  }
  return operation as unknown as JsonPatchOperation;
}

function apply(document: PatchedDocument, operation: JsonPatchOperation): void {
  const { op, path } = operation;
  switch (op) {
    case "add":
      document.add(path, operation.value, op);
      break;
    case "remove":
      document.remove(path, op);
      break;
    case "replace":
      document.replace(path, operation.value);
      break;
    case "move": {
      const from = operation.from!;
      if (path.startsWith(`${from}/`)) throw patchDoesNotApply(`unable to move ${from} into itself: ${path}`);
      if (path === from) document.get(from, op);
      else document.add(path, document.remove(from, op), op);
      break;
    }
    case "copy":
      document.add(path, document.copyOf(operation.from!), op);
      break;
    case "test":
      // As evanphx/json-patch: a missing value equals null.
      if (!isDeepStrictEqual(document.find(path) ?? null, operation.value ?? null)) {
        throw patchDoesNotApply(`testing value ${path} failed: test failed`);
      }
      break;
    default:
      unreachable(op);
  }
}

/** A copy-on-write view: a container is copied when it is first written to, and then written in place. */
class PatchedDocument {
  root: unknown;
  readonly #copied = new WeakSet<object>();
  #copiedBytes = 0;

  constructor(root: unknown) {
    this.root = root;
  }

  find(path: string): unknown {
    let value = this.root;
    for (const token of tokensOf(path)) value = childOf(value, token);
    return value;
  }

  get(path: string, op: string): unknown {
    const value = this.find(path);
    if (value === undefined) throw missing(op, path);
    return value;
  }

  add(path: string, value: unknown, op: string): void {
    const tokens = tokensOf(path);
    if (tokens.length === 0) {
      this.root = value;
      return;
    }
    const parent = this.#writableParent(tokens, op, path);
    const last = tokens.at(-1)!;
    if (!Array.isArray(parent)) {
      setOwn(parent, last, value);
      return;
    }
    const index = last === "-" ? parent.length : indexOf(last);
    if (index === undefined || index > parent.length) throw missing(op, path);
    parent.splice(index, 0, value);
  }

  remove(path: string, op: string): unknown {
    const tokens = tokensOf(path);
    if (tokens.length === 0)
      throw patchDoesNotApply(`${op} operation does not apply: can't remove the document`);
    const removed = this.get(path, op);
    const parent = this.#writableParent(tokens, op, path);
    const last = tokens.at(-1)!;
    if (Array.isArray(parent)) parent.splice(indexOf(last)!, 1);
    else delete parent[last];
    return removed;
  }

  replace(path: string, value: unknown): void {
    const tokens = tokensOf(path);
    if (tokens.length === 0) {
      this.root = value;
      return;
    }
    this.get(path, "replace");
    const parent = this.#writableParent(tokens, "replace", path);
    const last = tokens.at(-1)!;
    if (Array.isArray(parent)) parent[indexOf(last)!] = value;
    else setOwn(parent, last, value);
  }

  /** A deep copy, since both places may be written to later. */
  copyOf(from: string): unknown {
    const text = JSON.stringify(this.get(from, "copy"));
    this.#copiedBytes += text.length;
    if (this.#copiedBytes > jsonPatchCopiedBytesMax) {
      throw requestEntityTooLarge(`the copy operations of the patch exceed ${jsonPatchCopiedBytesMax} bytes`);
    }
    return JSON.parse(text);
  }

  #writableParent(tokens: readonly string[], op: string, path: string): JsonObject | unknown[] {
    this.root = this.#writable(this.root, op, path);
    let container = this.root as JsonObject | unknown[];
    for (const token of tokens.slice(0, -1)) {
      const child = this.#writable(childOf(container, token), op, path);
      if (Array.isArray(container)) container[indexOf(token)!] = child;
      else setOwn(container, token, child);
      container = child;
    }
    return container;
  }

  #writable(value: unknown, op: string, path: string): JsonObject | unknown[] {
    if (typeof value !== "object" || value === null) throw missing(op, path);
    if (this.#copied.has(value)) return value as JsonObject;
    const copy = Array.isArray(value) ? [...value] : { ...value };
    this.#copied.add(copy);
    return copy;
  }
}

const missing = (op: string, path: string) =>
  patchDoesNotApply(`${op} operation does not apply: doc is missing path: "${path}": missing value`);

function tokensOf(path: string): string[] {
  if (path === "") return [];
  if (!path.startsWith("/")) throw patchDoesNotApply(`invalid JSON pointer: ${JSON.stringify(path)}`);
  const tokens = path.slice(1).split("/");
  return path.includes("~")
    ? tokens.map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"))
    : tokens;
}

function childOf(value: unknown, token: string): unknown {
  if (Array.isArray(value)) {
    const index = indexOf(token);
    return index === undefined ? undefined : value[index];
  }
  return isObject(value) ? ownValue(value, token) : undefined;
}

/** An array index: digits without a leading zero. */
const indexOf = (token: string): number | undefined =>
  /^(0|[1-9][0-9]{0,9})$/.test(token) ? Number(token) : undefined;
