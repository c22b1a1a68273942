import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { badRequest, type Status, type StatusError } from "../machinery/index.ts";
import { SpdySession, type SpdyStream } from "./spdy/index.ts";

const spdyProtocol = "SPDY/3.1";
const negotiationHeader = "x-stream-protocol-version";

/** Which way a client asks for streams; `undefined` for a request that is no upgrade at all. */
export function upgradeOf(req: IncomingMessage): "websocket" | "spdy" | undefined {
  const isUpgrade = /\bupgrade\b/i.test(req.headers.connection ?? "");
  const wanted = req.headers.upgrade?.toLowerCase() ?? "";
  if (!isUpgrade) return undefined;
  if (wanted === "websocket") return "websocket";
  return wanted.startsWith(spdyProtocol.toLowerCase()) ? "spdy" : undefined;
}

/** Answers an upgrade request with a failure, and ends the connection. */
export function refuseUpgrade(
  socket: Duplex,
  error: StatusError,
  headers: Record<string, string> = {},
): void {
  const status: Status = error.status;
  const body = `${JSON.stringify(status)}\n`;
  const lines = Object.entries({
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    connection: "close",
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on("error", () => {});
  socket.end(`HTTP/1.1 ${status.code} ${status.reason ?? "Error"}\r\n${lines.join("")}\r\n${body}`);
}

export function notAnUpgrade(): StatusError {
  return badRequest("unable to upgrade: missing upgrade headers in request");
}

/** The client's first choice that is known here; `""` for a client that names none. `undefined`: none fits. */
export function chooseProtocol(requested: readonly string[], known: readonly string[]): string | undefined {
  return requested.find((name) => known.includes(name));
}

/** What a SPDY client names in `X-Stream-Protocol-Version`: header lines, or one with commas. */
export function requestedStreamProtocols(req: IncomingMessage): string[] {
  const lines = req.headersDistinct[negotiationHeader] ?? [];
  const names = lines.flatMap((line) => line.split(",")).map((name) => name.trim());
  return names.length > 0 ? names : [""];
}

/** Accepts a SPDY upgrade, or refuses it as upstream's `httpstream.Handshake` does and returns nothing. */
export function openSpdy(
  request: { req: IncomingMessage; socket: Duplex; head: Buffer },
  known: readonly string[],
  onStream: (stream: SpdyStream) => void,
): { session: SpdySession; protocol: string } | undefined {
  const { req, socket, head } = request;
  const requested = requestedStreamProtocols(req);
  const protocol = requested[0] === "" ? "" : chooseProtocol(requested, known);
  if (protocol === undefined) {
    const why = `client supports ${requested.join(", ")}, server accepts ${known.join(", ")}`;
    const error = badRequest(`unable to upgrade: unable to negotiate protocol: ${why}`);
    error.status.code = 403;
    error.status.reason = "Forbidden";
    refuseUpgrade(socket, error, { "x-accepted-stream-protocol-versions": known.join(", ") });
    return undefined;
  }
  (socket as Partial<Socket>).setNoDelay?.(true);
  const answer = protocol === "" ? "" : `X-Stream-Protocol-Version: ${protocol}\r\n`;
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${spdyProtocol}\r\n${answer}\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
  return { session: new SpdySession(socket, onStream), protocol };
}
