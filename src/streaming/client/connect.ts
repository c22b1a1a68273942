import { type IncomingMessage, request } from "node:http";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { SpdySession } from "../spdy/index.ts";

/** Opens a SPDY/3.1 session at a URL that a streaming server gave out. Rejects with what it answers instead. */
export function connectSpdy(url: string, protocol: string, signal?: AbortSignal): Promise<SpdySession> {
  return new Promise((resolve, reject) => {
    const asked = request(url, {
      method: "POST",
      headers: { connection: "Upgrade", upgrade: "SPDY/3.1", "x-stream-protocol-version": protocol },
      agent: false,
      ...(signal && { signal }),
    });
    asked.once("upgrade", (response: IncomingMessage, socket: Duplex, head: Buffer) => {
      // From here on the connection is the streams': their end, not the request's.
      if (response.headers["x-stream-protocol-version"] !== protocol) {
        socket.destroy();
        reject(new Error(`the server does not speak ${protocol}`));
        return;
      }
      if (head.length > 0) socket.unshift(head);
      resolve(new SpdySession(socket));
    });
    asked.once("response", (response) => {
      const { statusCode } = response;
      text(response).then(
        (body) => reject(new Error(`the streaming server answers ${statusCode}: ${body.trim()}`)),
        reject,
      );
    });
    asked.once("error", reject);
    asked.end();
  });
}
