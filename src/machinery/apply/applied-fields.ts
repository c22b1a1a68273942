import { isObject, type JsonObject } from "../patch/own-property.ts";
import { badRequest } from "../status.ts";
import { type FieldSet, type FieldSetDraft, isEmptySet, leafField, self } from "./field-set.ts";
import { mapListElement, setElement } from "./list-item.ts";
import type { MergeType, StructType } from "./merge-type.ts";

/**
 * The fields that an applied configuration names: every leaf, every item of a list, every entry of a map. Throws a 400 for a
 * configuration that does not fit its type, with the path: it is the first to walk it.
 */
export function fieldsOfApplied(type: StructType, applied: JsonObject, described: string): FieldSet {
  const fail: Fail = (path, why) => {
    throw badRequest(`failed to create typed patch object (${described}): ${path}: ${why}`);
  };
  return new NamedFields(fail).ofStruct(type, applied, "");
}

/** The same of an object that may have duplicates and more than its type knows, as a stored object may. */
export function fieldsNamedIn(type: StructType, object: JsonObject): FieldSet {
  return new NamedFields(() => {}).ofStruct(type, object, "");
}

/** Throws, or lets what does not fit be a leaf. */
type Fail = (path: string, why: string) => void;

class NamedFields {
  readonly #fail: Fail;

  constructor(fail: Fail) {
    this.#fail = fail;
  }

  ofStruct(type: StructType, object: JsonObject, path: string): FieldSet {
    const out: FieldSetDraft = {};
    for (const [key, value] of Object.entries(object)) {
      const field = type.fields.get(key);
      const at = `${path}.${key}`;
      if (!field) {
        this.#fail(at, "field not declared in schema");
        out[`f:${key}`] = leafField;
      } else if (!field.unowned)
        this.#put(out, field.element, this.#of(field.type, value, at), isBare(value));
    }
    return out;
  }

  /** The node for a value; a leaf when it is one, else its children, which do not make the value itself a member. */
  #of(type: MergeType, value: unknown, path: string): FieldSet | "leaf" {
    if (type.is === "leaf" || value === null) return "leaf";
    switch (type.is) {
      case "struct":
        return this.#isObject(value, path) ? this.ofStruct(type, value, path) : "leaf";
      case "map":
        return this.#isObject(value, path) ? this.#ofMap(type.values, value, path) : "leaf";
      case "free":
        return isObject(value) ? this.#ofMap(type, value, path) : "leaf";
      case "set":
        return this.#ofList(value, path, setElement, () => "leaf");
      case "mapList":
        return this.#ofList(
          value,
          path,
          (item) => mapListElement(type, item),
          (item, at) => this.#of(type.items, item, at),
        );
    }
  }

  #ofMap(values: MergeType, object: JsonObject, path: string): FieldSet {
    const out: FieldSetDraft = {};
    for (const [key, value] of Object.entries(object)) {
      this.#put(out, `f:${key}`, this.#of(values, value, `${path}.${key}`), true);
    }
    return out;
  }

  #ofList(
    value: unknown,
    path: string,
    elementOf: (item: unknown) => string | undefined,
    fieldsOf: (item: unknown, path: string) => FieldSet | "leaf",
  ): FieldSet | "leaf" {
    if (!Array.isArray(value)) {
      this.#fail(path, `expected list, got ${shown(value)}`);
      return "leaf";
    }
    const out: FieldSetDraft = {};
    for (const [at, item] of value.entries()) {
      if (item === null) this.#fail(`${path}[${at}]`, "associative list may not have a null element");
      const element = elementOf(item);
      if (element === undefined) {
        this.#fail(
          path,
          `element ${at}: associative list with keys has an element that omits all key fields`,
        );
      } else if (element in out) {
        this.#fail(path, `duplicate entries for key [${element.slice(2)}]`);
        out[element] = leafField;
      } else {
        this.#put(out, element, fieldsOf(item, `${path}[${element.slice(2)}]`), true);
      }
    }
    return out;
  }

  #put(out: FieldSetDraft, element: string, fields: FieldSet | "leaf", member: boolean): void {
    if (fields === "leaf") out[element] = leafField;
    else if (!isEmptySet(fields)) out[element] = member ? { [self]: leafField, ...fields } : fields;
    else if (member) out[element] = leafField;
  }

  #isObject(value: unknown, path: string): value is JsonObject {
    if (isObject(value)) return true;
    this.#fail(path, `expected map, got ${shown(value)}`);
    return false;
  }
}

/** An empty object is applied as such; an empty list names nothing. */
const isBare = (value: unknown) => isObject(value) && Object.keys(value).length === 0;

const shown = (value: unknown) => (JSON.stringify(value) ?? "null").slice(0, 100);
