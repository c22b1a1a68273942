import protobuf from "protobufjs/minimal.js";
import type { CriConnection } from "./connection.ts";

/*
 * containerd before 1.7 does not have CRI's GetContainerEvents, but on the same socket its own service of events. Of
 * these only the id of a container is taken: its state is then asked for by CRI.
 *
 * SubscribeRequest { repeated string filters = 1 }
 * Envelope { Timestamp timestamp = 1; string namespace = 2; string topic = 3; Any event = 4 }
 * Any { string type_url = 1; bytes value = 2 }, TaskStart and TaskExit { string container_id = 1; … }
 */

const subscribePath = "/containerd.services.events.v1.Events/Subscribe";
const filters = ['topic=="/tasks/start"', 'topic=="/tasks/exit"'];

/** The ids of containers (and sandboxes) whose tasks started or ended. Fails with `Unimplemented` elsewhere. */
export async function* containerdTaskEvents(
  connection: CriConnection,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const request = protobuf.Writer.create();
  for (const filter of filters) request.uint32((1 << 3) | 2).string(filter);
  for await (const envelope of connection.watchRaw(subscribePath, Buffer.from(request.finish()), signal)) {
    const event = field(envelope, 4);
    const task = event && field(event, 2);
    const containerId = task && field(task, 1);
    if (containerId) yield Buffer.from(containerId).toString();
  }
}

/** The bytes of a length-delimited field, if it is there. */
function field(message: Uint8Array, number: number): Uint8Array | undefined {
  const reader = protobuf.Reader.create(message);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === ((number << 3) | 2)) return reader.bytes();
    reader.skipType(tag & 7);
  }
  return undefined;
}
