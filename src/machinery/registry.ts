import { assert } from "../base/index.ts";
import type { ObjectSchema, SchemaRegistry, TypeName } from "./schema.ts";
import { kindScopeOf, parseSchemaText, type SchemaSource } from "./schema-text.ts";

/**
 * Finds types in schema texts. Nothing is parsed before it is asked for, so a registry costs nothing at start-up;
 * a type is parsed once.
 */
export function createSchemaRegistry(sources: readonly SchemaSource[]): SchemaRegistry {
  const bySource = new Map(sources.map((source) => [source.name, source]));
  const byGroupVersion = new Map<string, SchemaSource[]>();
  for (const source of sources) {
    const key = `${source.group}/${source.version}`;
    byGroupVersion.set(key, [...(byGroupVersion.get(key) ?? []), source]);
  }
  const types = new Map<TypeName, ObjectSchema>();

  const find = (name: TypeName) => {
    const dot = name.lastIndexOf(".");
    const source = bySource.get(name.slice(0, dot));
    assert(source, `no schema has the type ${name}`);
    const parsed = parseSchemaText(source, name.slice(dot + 1));
    types.set(name, parsed);
    return parsed;
  };
  const type = (name: TypeName) => types.get(name) ?? find(name);

  return {
    type,
    kind(group, version, kind) {
      const own = byGroupVersion
        .get(`${group}/${version}`)
        ?.find((source) => Object.hasOwn(source.types, kind));
      if (own && kindScopeOf(own.types[kind]!) !== undefined) return type(`${own.name}.${kind}`);
      const everywhere = sources.find(
        (source) => Object.hasOwn(source.types, kind) && kindScopeOf(source.types[kind]!) === "every",
      );
      return everywhere && type(`${everywhere.name}.${kind}`);
    },
    *names() {
      for (const source of sources)
        for (const each of Object.keys(source.types)) yield `${source.name}.${each}`;
    },
  };
}
