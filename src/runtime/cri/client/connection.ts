import { Client, type ClientReadableStream, credentials, Metadata } from "@grpc/grpc-js";
import type { Clock } from "../../../base/index.ts";
import { statusCode } from "../errors.ts";
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

/** As the kubelet's `maxMsgSize`. */
const messageBytesMax = 16 * 1024 * 1024;
/** As the kubelet's `runtimeRequestTimeout`: of a call that does not say itself. */
const callMsDefault = 120_000;

export interface CallOptions {
  /** Past it the call fails with `DeadlineExceeded`; `Infinity` waits. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** Calls over one gRPC connection, which is made anew when it breaks. */
export class CriConnection {
  readonly #client: Client;
  readonly #clock: Clock;

  /** `endpoint`: `unix:///run/containerd/containerd.sock`. */
  constructor(endpoint: string, clock: Clock) {
    this.#clock = clock;
    this.#client = new Client(endpoint, credentials.createInsecure(), {
      "grpc.max_receive_message_length": messageBytesMax,
      "grpc.max_send_message_length": messageBytesMax,
      // A runtime that restarts is back in a moment.
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 3000,
      // The socket is no host: without it, containerd refuses the path as an authority.
      "grpc.default_authority": "localhost",
    });
  }

  runtime<M extends UnaryMethod<"RuntimeService">>(
    method: M,
    request: Sparse<RequestOf<"RuntimeService", M>>,
    options?: CallOptions,
  ): Promise<Message<ResponseOf<"RuntimeService", M>>> {
    return this.#call("RuntimeService", method, request, options);
  }

  images<M extends UnaryMethod<"ImageService">>(
    method: M,
    request: Sparse<RequestOf<"ImageService", M>>,
    options?: CallOptions,
  ): Promise<Message<ResponseOf<"ImageService", M>>> {
    return this.#call("ImageService", method, request, options);
  }

  /** Until the signal, or until the other side ends it (with a gRPC error, or without). */
  watch<M extends StreamingMethod<"RuntimeService">>(
    method: M,
    request: Sparse<RequestOf<"RuntimeService", M>>,
    signal: AbortSignal,
  ): AsyncIterable<Message<ResponseOf<"RuntimeService", M>>> {
    const [path, requestName, responseName] = methodOf("RuntimeService", method);
    const call = this.#client.makeServerStreamRequest(
      path,
      (message: Sparse<MessageName>) => encode(requestName, message),
      (bytes) => decode(responseName, bytes),
      request,
    );
    return until(call, signal) as AsyncIterable<Message<ResponseOf<"RuntimeService", M>>>;
  }

  /** The same for a service that is not CRI's, in bytes. */
  watchRaw(path: string, request: Buffer, signal: AbortSignal): AsyncIterable<Buffer> {
    const call = this.#client.makeServerStreamRequest(
      path,
      (bytes: Buffer) => bytes,
      (bytes) => bytes,
      request,
      containerdNamespace(),
    );
    return until(call, signal);
  }

  close(): void {
    this.#client.close();
  }

  #call<N extends MessageName>(
    service: ServiceName,
    method: string,
    request: Sparse<MessageName>,
    { timeoutMs = callMsDefault, signal }: CallOptions = {},
  ): Promise<Message<N>> {
    const [path, requestName, responseName] = methodOf(service, method);
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const deadline = timeoutMs === Number.POSITIVE_INFINITY ? timeoutMs : this.#clock.now() + timeoutMs;
      const call = this.#client.makeUnaryRequest(
        path,
        (message: Sparse<MessageName>) => encode(requestName, message),
        (bytes) => decode(responseName, bytes) as Message<N>,
        request,
        new Metadata({ waitForReady: false }),
        { deadline },
        (error, response) => {
          signal?.removeEventListener("abort", cancel);
          if (!error) return resolve(response!);
          reject(signal?.aborted && error.code === statusCode.cancelled ? signal.reason : error);
        },
      );
      const cancel = () => call.cancel();
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }
}

function methodOf(service: ServiceName, method: string): [string, MessageName, MessageName] {
  const names = (services[service] as Record<string, string>)[method]!.split(" ");
  return [`/${criPackage}.${service}/${method}`, names[0] as MessageName, names.at(-1) as MessageName];
}

/** Where containerd keeps what came by CRI. */
function containerdNamespace(): Metadata {
  const metadata = new Metadata();
  metadata.set("containerd-namespace", "k8s.io");
  return metadata;
}

async function* until<T>(call: ClientReadableStream<T>, signal: AbortSignal): AsyncGenerator<T> {
  const cancel = () => call.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    if (signal.aborted) return;
    yield* call as AsyncIterable<T>;
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", cancel);
    call.cancel();
  }
}
