import {
  type CompactMessage,
  type CompactName,
  createCompactCodec,
  type SparseMessage,
} from "../../../machinery/index.ts";
import { enums, messages, services } from "./messages.ts";

type Wire = { enums: typeof enums; messages: typeof messages };

export type MessageName = CompactName<Wire>;
export type Message<N extends MessageName> = CompactMessage<Wire, N>;
export type Sparse<N extends MessageName> = SparseMessage<Wire, N>;
export type NodeCapability = (typeof enums)["NodeCapability"][number];
export type AccessModeKind = (typeof enums)["AccessModeKind"][number];

type Services = typeof services;
export type ServiceName = keyof Services;
export type MethodName<S extends ServiceName> = keyof Services[S] & string;
export type RequestOf<
  S extends ServiceName,
  M extends MethodName<S>,
> = Services[S][M] extends `${infer N extends MessageName} ${string}` ? N : never;
export type ResponseOf<
  S extends ServiceName,
  M extends MethodName<S>,
> = Services[S][M] extends `${string} ${infer N extends MessageName}` ? N : never;

export const { encode, decode } = createCompactCodec({ enums, messages });
export { services };

/** The names of what a method is asked and answers. */
export function signatureOf(service: ServiceName, method: string): [MessageName, MessageName] {
  return (services[service] as Record<string, string>)[method]!.split(" ") as [MessageName, MessageName];
}
