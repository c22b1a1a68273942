/*
 * Messages of protobuf services as data, and as TypeScript types read off it: `"3 Type"` is field 3, `"3 [Type]"` a
 * repeated one, `"3 {string}"` a map of strings. A field of a `oneof` is a field like others.
 *
 * 64-bit integers are numbers: exact to 2^53, which times in nanoseconds since the epoch are not (to 256 ns, they are).
 */

export interface CompactWire {
  /** Each value's number is its place. */
  enums: Readonly<Record<string, readonly string[]>>;
  messages: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export type CompactName<W extends CompactWire> = keyof W["messages"] & string;

type Scalar<T extends string> = T extends "string"
  ? string
  : T extends "bool"
    ? boolean
    : T extends "bytes"
      ? Buffer
      : number;

type Single<W extends CompactWire, T extends string> =
  T extends CompactName<W>
    ? CompactMessage<W, T> | null
    : T extends keyof W["enums"]
      ? W["enums"][T][number]
      : Scalar<T>;

type Item<W extends CompactWire, T extends string> = NonNullable<Single<W, T>>;

type Field<W extends CompactWire, F extends string> = F extends `${number} [${infer T}]`
  ? Item<W, T>[]
  : F extends `${number} {${string}}`
    ? Record<string, string>
    : F extends `${number} ${infer T}`
      ? Single<W, T>
      : never;

/** A message as it was received: every field is there, one that was not sent has its type's zero value. */
export type CompactMessage<W extends CompactWire, N extends CompactName<W>> = {
  -readonly [F in keyof W["messages"][N]]: W["messages"][N][F] extends string
    ? Field<W, W["messages"][N][F]>
    : never;
};

type SparseField<W extends CompactWire, F extends string> = F extends `${number} [${infer T}]`
  ? readonly (T extends CompactName<W> ? SparseMessage<W, T> : Item<W, T>)[]
  : F extends `${number} {${string}}`
    ? Readonly<Record<string, string>>
    : F extends `${number} ${infer T}`
      ? T extends CompactName<W>
        ? SparseMessage<W, T> | null
        : Single<W, T>
      : never;

/** A message to send: what is left out has its type's zero value. */
export type SparseMessage<W extends CompactWire, N extends CompactName<W>> = {
  readonly [F in keyof W["messages"][N]]?: W["messages"][N][F] extends string
    ? SparseField<W, W["messages"][N][F]> | undefined
    : never;
};
