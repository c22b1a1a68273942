import type { enums, messages, services } from "./messages.ts";

/*
 * CRI's messages as TypeScript types, read off the compact form: `"3 Type"` is field 3, `"3 [Type]"` a repeated one,
 * `"3 {string}"` a map of strings.
 *
 * 64-bit integers are numbers: exact to 2^53, which times in nanoseconds since the epoch are not (to 256 ns, they are).
 */

type Enums = typeof enums;
type Messages = typeof messages;
export type MessageName = keyof Messages;

type Scalar<T extends string> = T extends "string"
  ? string
  : T extends "bool"
    ? boolean
    : T extends "bytes"
      ? Buffer
      : number;

type Single<T extends string> = T extends MessageName
  ? Message<T> | null
  : T extends keyof Enums
    ? Enums[T][number]
    : Scalar<T>;

type Item<T extends string> = NonNullable<Single<T>>;

type Field<F extends string> = F extends `${number} [${infer T}]`
  ? Item<T>[]
  : F extends `${number} {${string}}`
    ? Record<string, string>
    : F extends `${number} ${infer T}`
      ? Single<T>
      : never;

/** A message as it was received: every field is there, one that was not sent has its type's zero value. */
export type Message<N extends MessageName> = {
  -readonly [F in keyof Messages[N]]: Messages[N][F] extends string ? Field<Messages[N][F]> : never;
};

type SparseField<F extends string> = F extends `${number} [${infer T}]`
  ? readonly (T extends MessageName ? Sparse<T> : Item<T>)[]
  : F extends `${number} {${string}}`
    ? Readonly<Record<string, string>>
    : F extends `${number} ${infer T}`
      ? T extends MessageName
        ? Sparse<T> | null
        : Single<T>
      : never;

/** A message to send: what is left out has its type's zero value. */
export type Sparse<N extends MessageName> = {
  readonly [F in keyof Messages[N]]?: Messages[N][F] extends string
    ? SparseField<Messages[N][F]> | undefined
    : never;
};

type Services = typeof services;
export type ServiceName = keyof Services;
export type MethodName<S extends ServiceName> = keyof Services[S] & string;

type Signature<S extends ServiceName, M extends MethodName<S>> = Services[S][M] extends infer T extends string
  ? T
  : never;
export type RequestOf<S extends ServiceName, M extends MethodName<S>> =
  Signature<S, M> extends `${infer N extends MessageName} ${string}` ? N : never;
export type ResponseOf<S extends ServiceName, M extends MethodName<S>> =
  Signature<S, M> extends `${string} stream ${infer N extends MessageName}`
    ? N
    : Signature<S, M> extends `${string} ${infer N extends MessageName}`
      ? N
      : never;
/** The methods that answer with one message, and those that answer with many. */
export type StreamingMethod<S extends ServiceName> = {
  [M in MethodName<S>]: Signature<S, M> extends `${string} stream ${string}` ? M : never;
}[MethodName<S>];
export type UnaryMethod<S extends ServiceName> = Exclude<MethodName<S>, StreamingMethod<S>>;
