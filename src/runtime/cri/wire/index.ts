export { decode, encode } from "./codec.ts";
export { criPackage, services } from "./messages.ts";
export type {
  Message,
  MessageName,
  MethodName,
  RequestOf,
  ResponseOf,
  ServiceName,
  Sparse,
  StreamingMethod,
  UnaryMethod,
} from "./types.ts";
