import type { CompactMessage, CompactName, SparseMessage } from "../../../machinery/index.ts";
import type { enums, messages, services } from "./messages.ts";

type Cri = { enums: typeof enums; messages: typeof messages };
export type MessageName = CompactName<Cri>;

/** A message as it was received: every field is there, one that was not sent has its type's zero value. */
export type Message<N extends MessageName> = CompactMessage<Cri, N>;

/** A message to send: what is left out has its type's zero value. */
export type Sparse<N extends MessageName> = SparseMessage<Cri, N>;

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
