import type { UpgradeRequest } from "../http/listener.ts";
import { open } from "./forward.ts";
import { type HeaderValues, requestHeaders } from "./headers.ts";
import type { Location } from "./pod-location.ts";
import type { Rewriting } from "./rewrite.ts";

/** Hands a connection over: to the server behind it asks for the same upgrade, and whatever is said then goes through. */
export async function forwardUpgrade(
  { request, socket, head }: UpgradeRequest,
  { location, url, rewriting }: { location: Location; url: string; rewriting: Rewriting },
): Promise<void> {
  const gone = new AbortController();
  socket.once("close", () => gone.abort(new Error("the client has gone")));
  const connection = await open(location, gone.signal);
  const headers = {
    ...requestHeaders(request.headers as HeaderValues, {
      for: socket.remoteAddress ?? "",
      uri: `${rewriting.prefix}${url.split("?", 1)[0]}`,
      host: rewriting.host,
    }),
    connection: "Upgrade",
    upgrade: request.headers.upgrade ?? "",
  };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((each) => `${name}: ${each}\r\n`),
  );
  connection.write(`${request.method} ${url} HTTP/1.1\r\n${lines.join("")}\r\n`);
  if (head.length > 0) connection.write(head);
  connection.on("error", () => socket.destroy());
  connection.once("close", () => socket.destroy());
  socket.once("close", () => connection.destroy());
  connection.pipe(socket);
  socket.pipe(connection);
}
