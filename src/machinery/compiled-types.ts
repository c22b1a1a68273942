import type { ObjectSchema, SchemaRegistry } from "./schema.ts";

/**
 * What is compiled of each type, made once and kept as long as the registry. A type that contains itself meets its own
 * plan while that is being made: it is set before it is complete.
 */
export class CompiledTypes<Plan> {
  readonly #plans = new WeakMap<SchemaRegistry, WeakMap<ObjectSchema, Plan>>();

  get(type: ObjectSchema, registry: SchemaRegistry): Plan | undefined {
    return this.#plans.get(registry)?.get(type);
  }

  set(type: ObjectSchema, registry: SchemaRegistry, plan: Plan): void {
    let ofRegistry = this.#plans.get(registry);
    if (!ofRegistry) {
      ofRegistry = new WeakMap();
      this.#plans.set(registry, ofRegistry);
    }
    ofRegistry.set(type, plan);
  }
}
