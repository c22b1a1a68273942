import type { Runtime } from "../contract.ts";
import type { CriRuntimeOptions } from "./client/runtime.ts";
import type { CriServer, CriServerOptions } from "./server/server.ts";

export type { CriRuntimeOptions, CriServer, CriServerOptions };

/*
 * Both load gRPC, which takes a tenth of a second: only when they are called.
 */

/** Drives the engine behind a CRI v1 endpoint. Rejects with `Unsupported` when there is none. */
export async function createCriRuntime(options: CriRuntimeOptions): Promise<Runtime> {
  const { connectCriRuntime } = await import("./client/runtime.ts");
  return connectCriRuntime(options);
}

/** Serves an engine as CRI v1 on a unix socket. Rejects when another process serves there. */
export async function serveCri(options: CriServerOptions): Promise<CriServer> {
  const { serveCri: serve } = await import("./server/server.ts");
  return serve(options);
}
