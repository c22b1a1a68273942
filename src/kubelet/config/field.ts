import { parseQuantity, type Quantity } from "../../machinery/index.ts";
import { type Duration, parseDuration } from "./duration.ts";

/** One field of a KubeletConfiguration, as data. */
export interface Field<T> {
  /** What holds where the file does not say. */
  readonly default: T;
  /** @throws Error that says, after the field's name, what is wrong with the value. */
  readonly read: (value: unknown) => T;
  /** The file below `src/kubelet/` that obeys it. A field without one is refused: nothing is silently ignored. */
  readonly usedIn?: string;
}

export type ValueOf<F> = F extends Field<infer T> ? T : never;

interface Use {
  usedIn?: string;
}

export function integer<D extends number | undefined>(
  options: Use & { default: D; min?: number; max?: number },
): Field<number | D> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = options;
  return {
    ...use(options),
    read(value) {
      if (!Number.isInteger(value)) throw new Error("must be an integer");
      const number = value as number;
      if (number >= min && number <= max) return number;
      const bounds =
        max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `between ${min} and ${max}, inclusive`;
      throw new Error(`must be ${bounds}`);
    },
  };
}

export const percent = (options: Use & { default: number }) => integer({ ...options, min: 0, max: 100 });

export function flag<D extends boolean | undefined>(options: Use & { default: D }): Field<boolean | D> {
  return {
    ...use(options),
    read(value) {
      if (typeof value !== "boolean") throw new Error("must be true or false");
      return value;
    },
  };
}

export function text<D extends string | undefined>(options: Use & { default: D }): Field<string | D> {
  return { ...use(options), read: readText };
}

/** `minMs` and `maxMs` hold for what is not 0, which upstream reads as "not given". */
export function duration<D extends number | undefined>(
  options: Use & { defaultMs: D; minMs?: number; maxMs?: number },
): Field<D extends number ? Duration : Duration | undefined> {
  const { defaultMs, minMs = 0, maxMs = Number.MAX_SAFE_INTEGER } = options;
  type Value = D extends number ? Duration : Duration | undefined;
  const byDefault = (defaultMs === undefined ? undefined : { ms: defaultMs }) as Value;
  return {
    ...use({ ...options, default: byDefault }),
    read(value) {
      const parsed = parseDuration(readText(value));
      if (!parsed) throw new Error('must be a duration, as "1m30s"');
      if (parsed.ms < 0) throw new Error("must not be negative");
      if (parsed.ms === 0) return byDefault;
      if (parsed.ms < minMs || parsed.ms > maxMs)
        throw new Error(
          `must be ${maxMs === Number.MAX_SAFE_INTEGER ? `at least ${minMs / 1_000}s` : `between ${minMs / 1_000}s and ${maxMs / 1_000}s`}`,
        );
      return parsed as Value;
    },
  };
}

export function quantity(options: Use & { default: string }): Field<Quantity> {
  return { ...use({ ...options, default: parseQuantity(options.default) }), read: readQuantity };
}

export function texts(
  options: Use & { default: readonly string[]; oneOf?: readonly string[] },
): Field<readonly string[]> {
  const { oneOf } = options;
  return {
    ...use(options),
    read(value) {
      if (!Array.isArray(value)) throw new Error("must be a list of strings");
      const items = value.map(readText);
      const foreign = items.find((item) => oneOf && !oneOf.includes(item));
      if (foreign !== undefined)
        throw new Error(`has "${foreign}"; known are ${oneOf!.map((each) => `"${each}"`).join(", ")}`);
      const twice = items.find((item, i) => items.indexOf(item) < i);
      if (twice !== undefined) throw new Error(`has "${twice}" twice`);
      return items;
    },
  };
}

/** A map from names to values that `read` makes; `keys` are the names that are known. */
export function mapOf<T>(
  options: Use & {
    default: Readonly<Record<string, T>>;
    keys: readonly string[] | RegExp;
    read: (value: string, key: string) => T;
  },
): Field<Readonly<Record<string, T>>> {
  const { keys, read } = options;
  const isKnown = (key: string) => (keys instanceof RegExp ? keys.test(key) : keys.includes(key));
  return {
    ...use(options),
    read(value) {
      const entries = Object.entries(readMap(value));
      const foreign = entries.find(([key]) => !isKnown(key));
      if (foreign) {
        throw new Error(
          `has "${foreign[0]}", which is not supported${keys instanceof RegExp ? "" : `; known are ${keys.join(", ")}`}`,
        );
      }
      return Object.fromEntries(
        entries.map(([key, item]) => {
          // A person writes `memory: 1` and means the quantity.
          const asText = typeof item === "number" ? String(item) : readText(item);
          return [key, read(asText, key)];
        }),
      );
    },
  };
}

/** Fields of their own inside a field. */
export function group<F extends Record<string, Field<unknown>>>(
  fields: F,
): Field<{ readonly [K in keyof F]: ValueOf<F[K]> }> & { fields: F } {
  type Value = { readonly [K in keyof F]: ValueOf<F[K]> };
  const defaults = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.default]));
  return {
    fields,
    default: defaults as Value,
    usedIn: Object.values(fields).find(({ usedIn }) => usedIn)?.usedIn,
    read: (value) => readFields(fields, readMap(value)) as Value,
  };
}

/** A list of maps, each with all of the fields given. */
export function listOf<F extends Record<string, Field<unknown>>>(
  options: Use & { fields: F },
): Field<readonly { readonly [K in keyof F]: ValueOf<F[K]> }[]> {
  type Item = { readonly [K in keyof F]: ValueOf<F[K]> };
  return {
    ...use<readonly Item[]>({ ...options, default: [] }),
    read(value) {
      if (!Array.isArray(value)) throw new Error("must be a list");
      return value.map((item, i) => {
        try {
          const given = readMap(item);
          for (const name of Object.keys(options.fields))
            if (given[name] == null) throw new Error(`${name}: is missing`);
          return readFields(options.fields, given) as Item;
        } catch (error) {
          throw new Error(`[${i}]: ${(error as Error).message}`);
        }
      });
    },
  };
}

/**
 * A field whose other values this agent does not have: it is accepted where it says what is done anyway, and refused
 * where it asks for something else.
 */
export function only<T extends string | boolean | number>(value: T): Field<T> {
  return {
    default: value,
    usedIn: "config/fields.ts",
    read(given) {
      if (given !== value) throw new Error(`can only be ${JSON.stringify(value)} here`);
      return value;
    },
  };
}

/** Every field's value, given or by default. @throws Error with all that is wrong, a line a field. */
export function readFields(
  fields: Readonly<Record<string, Field<unknown>>>,
  given: Record<string, unknown>,
): Record<string, unknown> {
  const problems: string[] = [];
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(fields, name)) problems.push(`${name}: unknown field${suggestion(name, fields)}`);
  }
  const values: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    values[name] = field.default;
    const value = given[name];
    if (value === undefined || value === null) continue;
    if (field.usedIn === undefined) {
      problems.push(`${name}: not supported by this kubelet`);
      continue;
    }
    try {
      values[name] = field.read(value);
    } catch (error) {
      problems.push(`${name}: ${(error as Error).message}`);
    }
  }
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return values;
}

function suggestion(name: string, fields: Readonly<Record<string, unknown>>): string {
  const near = Object.keys(fields).find((known) => known.toLowerCase() === name.toLowerCase());
  return near === undefined ? "" : `, did you mean ${near}?`;
}

export function readText(value: unknown): string {
  if (typeof value !== "string") throw new Error("must be a string");
  return value;
}

export function readQuantity(value: unknown): Quantity {
  const asText = typeof value === "number" ? String(value) : readText(value);
  try {
    return parseQuantity(asText);
  } catch {
    throw new Error(`"${asText}" is no quantity`);
  }
}

function readMap(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("must be a map");
  return value as Record<string, unknown>;
}

function use<T>({ default: byDefault, usedIn }: { default: T; usedIn?: string }) {
  return { default: byDefault, ...(usedIn !== undefined && { usedIn }) };
}
