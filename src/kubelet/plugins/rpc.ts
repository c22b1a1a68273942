import { Client, credentials, Metadata } from "@grpc/grpc-js";
import type { Clock } from "../../base/index.ts";
import { RpcError } from "./rpc-error.ts";
import {
  decode,
  encode,
  type Message,
  type MethodName,
  type RequestOf,
  type ResponseOf,
  type ServiceName,
  type Sparse,
  signatureOf,
} from "./wire/index.ts";

export interface CallOptions {
  timeoutMs: number;
  signal?: AbortSignal;
}

/** Calls of a plugin on its unix socket. The connection is made with the first, and anew when it breaks. */
export class RpcClient {
  readonly #client: Client;
  readonly #clock: Clock;

  constructor(socketPath: string, clock: Clock) {
    this.#clock = clock;
    this.#client = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
      // A plugin that restarts is back in a moment.
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 1_000,
      "grpc.default_authority": "localhost",
    });
  }

  close(): void {
    this.#client.close();
  }

  /** Rejects with an {@link RpcError}, or with the signal's reason. */
  call<S extends ServiceName, M extends MethodName<S>>(
    service: S,
    method: M,
    request: Sparse<RequestOf<S, M>>,
    { timeoutMs, signal }: CallOptions,
  ): Promise<Message<ResponseOf<S, M>>> {
    type Response = Message<ResponseOf<S, M>>;
    const [requestName, responseName] = signatureOf(service, method);
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const call = this.#client.makeUnaryRequest(
        `/${service}/${method}`,
        (message: Sparse<typeof requestName>) => encode(requestName, message),
        (bytes) => decode(responseName, bytes) as Response,
        request as Sparse<typeof requestName>,
        new Metadata({ waitForReady: false }),
        { deadline: this.#clock.now() + timeoutMs },
        (error, response) => {
          signal?.removeEventListener("abort", cancel);
          if (!error) resolve(response!);
          else if (signal?.aborted) reject(signal.reason);
          else reject(new RpcError(error.code, error.details));
        },
      );
      const cancel = () => call.cancel();
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }
}
