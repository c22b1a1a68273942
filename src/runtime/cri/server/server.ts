import { chmod, mkdir, rm } from "node:fs/promises";
import { createConnection } from "node:net";
import { dirname } from "node:path";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { Clock, Log, Random } from "../../../base/index.ts";
import type { Runtime } from "../../contract.ts";
import type { CriContext } from "./context.ts";
import { ContainerEvents } from "./events.ts";
import { grpcService } from "./grpc.ts";
import { imageHandlers } from "./images.ts";
import { runtimeHandlers } from "./runtime-service.ts";
import { StreamServer } from "./streams.ts";

export interface CriServerOptions {
  runtime: Runtime;
  /** An absolute path. Taken over when nobody serves there any more. */
  socketPath: string;
  /** Where images are kept, for ImageFsInfo. */
  imagesDir: string;
  clock: Clock;
  random: Random;
  log: Log;
}

export interface CriServer {
  /** `unix:///run/…`, as clients want it. */
  endpoint: string;
  /** Ends streams and connections; the engine and its containers run on. */
  close(): Promise<void>;
}

/** As the kubelet's client. */
const messageBytesMax = 16 * 1024 * 1024;

/** Serves an engine as CRI v1, to whom may open the socket: root. Rejects when someone else serves there. */
export async function serveCri(options: CriServerOptions): Promise<CriServer> {
  const { runtime, clock, random, socketPath } = options;
  const log = options.log.child({ room: "cri" });
  await takeOver(socketPath);
  const streams = new StreamServer({ runtime, clock, random, log });
  await streams.listen();
  const events = new ContainerEvents({ runtime, clock, log });
  const context: CriContext = { runtime, clock, log, events };
  const server = new Server({
    "grpc.max_receive_message_length": messageBytesMax,
    "grpc.max_send_message_length": messageBytesMax,
  });
  server.addService(...grpcService("RuntimeService", runtimeHandlers(context, streams), log));
  server.addService(
    ...grpcService("ImageService", imageHandlers(context, { imagesDir: options.imagesDir }), log),
  );
  const close = async () => {
    server.forceShutdown();
    events.close();
    await streams.close();
    await rm(socketPath, { force: true });
  };
  const endpoint = `unix://${socketPath}`;
  try {
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(endpoint, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      );
    });
    await chmod(socketPath, 0o600);
  } catch (error) {
    await close();
    throw error;
  }
  return { endpoint, close };
}

/** A socket that an ended process left is removed; one that answers is somebody's. */
async function takeOver(socketPath: string): Promise<void> {
  await mkdir(dirname(socketPath), { recursive: true, mode: 0o700 });
  const isServed = await new Promise<boolean>((resolve) => {
    const probe = createConnection(socketPath);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
  if (isServed) throw new Error(`${socketPath} is served by another process`);
  await rm(socketPath, { force: true });
}
