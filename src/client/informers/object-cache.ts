import { type KubeObject, keyOf, splitKey } from "../../machinery/index.ts";
import type { ObjectRef } from "../transport.ts";

/** What an index is made of: the values under which an object is found. Pure. */
export type IndexFunction<T> = (object: T) => readonly string[];

/** Keys by value. */
class Index<T> {
  readonly #valuesOf: IndexFunction<T>;
  readonly #keys = new Map<string, Set<string>>();

  constructor(valuesOf: IndexFunction<T>) {
    this.#valuesOf = valuesOf;
  }

  keys(value: string): Iterable<string> {
    return this.#keys.get(value) ?? [];
  }

  add(key: string, object: T): void {
    for (const value of this.#valuesOf(object)) {
      const keys = this.#keys.get(value);
      if (keys) keys.add(key);
      else this.#keys.set(value, new Set([key]));
    }
  }

  remove(key: string, object: T): void {
    for (const value of this.#valuesOf(object)) {
      const keys = this.#keys.get(value);
      if (keys?.delete(key) && keys.size === 0) this.#keys.delete(value);
    }
  }
}

/** References to the objects of one resource, by namespace and name, and by index. */
export class ObjectCache<T extends KubeObject> {
  readonly #namespaces = new Map<string, Map<string, ObjectRef<T>>>();
  readonly #indexes = new Set<Index<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): ObjectRef<T> | undefined {
    const { namespace = "", name } = splitKey(key);
    return this.#namespaces.get(namespace)?.get(name);
  }

  *keys(): Generator<string> {
    for (const [namespace, refs] of this.#namespaces) {
      for (const name of refs.keys()) yield namespace === "" ? name : `${namespace}/${name}`;
    }
  }

  *refs(namespace?: string): Generator<ObjectRef<T>> {
    if (namespace !== undefined) {
      yield* this.#namespaces.get(namespace)?.values() ?? [];
      return;
    }
    for (const refs of this.#namespaces.values()) yield* refs.values();
  }

  set(key: string, ref: ObjectRef<T>, object: T, before: T | undefined): void {
    const { namespace = "", name } = splitKey(key);
    let refs = this.#namespaces.get(namespace);
    if (!refs) {
      refs = new Map();
      this.#namespaces.set(namespace, refs);
    }
    if (!refs.has(name)) this.#size++;
    refs.set(name, ref);
    for (const index of this.#indexes) {
      if (before) index.remove(key, before);
      index.add(key, object);
    }
  }

  delete(key: string, before: T): void {
    const { namespace = "", name } = splitKey(key);
    const refs = this.#namespaces.get(namespace);
    if (!refs?.delete(name)) return;
    this.#size--;
    if (refs.size === 0) this.#namespaces.delete(namespace);
    for (const index of this.#indexes) index.remove(key, before);
  }

  /** Adds an index over what is there and what will come. Returns its look-up. */
  addIndex(valuesOf: IndexFunction<T>): (value: string) => T[] {
    const index = new Index(valuesOf);
    for (const { object } of this.refs()) index.add(keyOf(object), object);
    this.#indexes.add(index);
    return (value) => Array.from(index.keys(value), (key) => this.get(key)!.object);
  }
}
