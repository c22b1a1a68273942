import type {
  handleServerStreamingCall,
  handleUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { Log } from "../../../base/index.ts";
import { statusCode, toStatus } from "../errors.ts";
import {
  criPackage,
  decode,
  encode,
  type Message,
  type MessageName,
  type RequestOf,
  type ResponseOf,
  type ServiceName,
  type Sparse,
  type StreamingMethod,
  services,
  type UnaryMethod,
} from "../wire/index.ts";

type Unary<S extends ServiceName> = {
  [M in UnaryMethod<S>]?: (
    request: Message<RequestOf<S, M>>,
    signal: AbortSignal,
  ) => Promise<Sparse<ResponseOf<S, M>>>;
};
type Streaming<S extends ServiceName> = {
  [M in StreamingMethod<S>]?: (
    request: Message<RequestOf<S, M>>,
    signal: AbortSignal,
  ) => AsyncIterable<Sparse<ResponseOf<S, M>>>;
};
/** What answers a service's calls; the signal is aborted when the client is gone. What is left out is `Unimplemented`. */
export type Handlers<S extends ServiceName> = Unary<S> & Streaming<S>;

type AnyHandler = (
  request: unknown,
  signal: AbortSignal,
) => Promise<Sparse<MessageName>> | AsyncIterable<Sparse<MessageName>>;

export function grpcService<S extends ServiceName>(
  service: S,
  handlers: Handlers<S>,
  log: Log,
): [ServiceDefinition, UntypedServiceImplementation] {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const [method, signature] of Object.entries(services[service] as Record<string, string>)) {
    const names = signature.split(" ");
    const [request, response] = [names[0], names.at(-1)] as [MessageName, MessageName];
    const isStream = names.length === 3;
    definition[method] = {
      path: `/${criPackage}.${service}/${method}`,
      requestStream: false,
      responseStream: isStream,
      requestSerialize: (message) => encode(request, message),
      requestDeserialize: (bytes) => decode(request, bytes),
      responseSerialize: (message) => encode(response, message),
      responseDeserialize: (bytes) => decode(response, bytes),
    };
    const handler = (handlers as Record<string, AnyHandler | undefined>)[method];
    const answer = handler ?? unimplemented(method);
    implementation[method] = isStream ? streaming(answer, log) : unary(answer, log, method);
  }
  return [definition, implementation];
}

const unimplemented = (method: string): AnyHandler => {
  const error = Object.assign(new Error(`${method} is not supported`), { code: statusCode.unimplemented });
  return () => {
    throw error;
  };
};

function statusOf(error: unknown): { code: number; details: string } {
  const { code, message } = error as { code?: unknown; message: string };
  return code === statusCode.unimplemented ? { code, details: message } : toStatus(error);
}

function unary(handler: AnyHandler, log: Log, method: string): handleUnaryCall<unknown, unknown> {
  return async (call, answer) => {
    const gone = new AbortController();
    call.on("cancelled", () => gone.abort(new Error("the client is gone")));
    try {
      answer(null, await (handler(call.request, gone.signal) as Promise<unknown>));
    } catch (error) {
      log.debug({ err: error, method }, "a CRI call failed");
      answer(statusOf(error));
    }
  };
}

function streaming(handler: AnyHandler, log: Log): handleServerStreamingCall<unknown, unknown> {
  return async (call) => {
    const gone = new AbortController();
    call.on("cancelled", () => gone.abort(new Error("the client is gone")));
    try {
      for await (const message of handler(call.request, gone.signal) as AsyncIterable<unknown>) {
        if (gone.signal.aborted) break;
        if (!call.write(message)) await drained(call, gone.signal);
      }
      call.end();
    } catch (error) {
      if (gone.signal.aborted) return;
      log.debug({ err: error }, "a CRI stream failed");
      call.emit("error", statusOf(error));
    }
  };
}

function drained(call: ServerWritableStream<unknown, unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    call.once("drain", resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
