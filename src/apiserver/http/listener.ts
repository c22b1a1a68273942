import { once } from "node:events";
import { createServer as createHttp1Server, type Server as Http1Server } from "node:http";
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from "node:http2";
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from "node:tls";
import type { Clock } from "../../base/index.ts";
import { connectionsMax, headerBytesMax, requestMsMax, streamsPerConnectionMax } from "../limits.ts";
import { BodyBudget } from "./body-reader.ts";
import type { Exchange } from "./exchange.ts";
import { Http1Exchange } from "./exchange-http1.ts";
import { Http2Exchange } from "./exchange-http2.ts";

export interface TlsFiles {
  /** PEM: what the server shows. */
  cert: string;
  key: string;
  /** PEM: whose client certificates are believed. */
  clientCa: string;
}

export interface ListenOptions {
  port: number;
  /** Default: all addresses. */
  host?: string;
  tls: TlsFiles;
}

export interface UpgradeRequest {
  request: import("node:http").IncomingMessage;
  socket: TLSSocket;
  head: Buffer;
}

/** As fast as the processor has it: with AES in hardware the short key costs a quarter less, and Go's clients prefer it too. */
const ciphers = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

/** How long the headers of a request may take, and a connection may idle before its first. */
const headersMsMax = 30_000;
/** How long a client may keep an idle connection; longer than Go's 90 s, so that the client is the one to close. */
const keepAliveMs = 180_000;

/**
 * One TLS port for HTTP/1.1 and HTTP/2, as ALPN chooses.
 *
 * Neither of Node's two servers listens: each is handed connections whose TLS is done.
 */
export class Listener {
  readonly #tls: TlsServer;
  readonly #http1: Http1Server;
  readonly #http2: Http2Server;
  readonly #sockets = new Set<TLSSocket>();
  readonly #sessions = new Set<ServerHttp2Session>();

  constructor(
    tls: TlsFiles,
    clock: Clock,
    on: { request: (exchange: Exchange) => void; upgrade: (upgrade: UpgradeRequest) => void },
  ) {
    const body = { clock, budget: new BodyBudget() };
    this.#http1 = createHttp1Server({
      maxHeaderSize: headerBytesMax,
      headersTimeout: headersMsMax,
      requestTimeout: requestMsMax,
      keepAliveTimeout: keepAliveMs,
      noDelay: true,
    });
    this.#http1.on("request", (request, response) => on.request(new Http1Exchange(request, response, body)));
    this.#http1.on("upgrade", (request, socket, head) =>
      on.upgrade({ request, socket: socket as TLSSocket, head }),
    );
    // Its checks of slow clients begin when it listens, which it never does itself.
    this.#http1.emit("listening");
    this.#http2 = createHttp2Server({
      maxHeaderListPairs: 128,
      maxSendHeaderBlockLength: headerBytesMax,
      settings: {
        maxConcurrentStreams: streamsPerConnectionMax,
        maxHeaderListSize: headerBytesMax,
        initialWindowSize: 1024 * 1024,
      },
    });
    this.#http2.on("session", (session) => {
      this.#sessions.add(session);
      session.once("close", () => this.#sessions.delete(session));
      session.on("error", () => session.destroy());
    });
    this.#http2.on("stream", (stream, headers) => {
      stream.on("error", () => stream.destroy());
      const socket = stream.session!.socket as TLSSocket;
      on.request(new Http2Exchange(stream, headers, socket, body));
    });
    this.#tls = createTlsServer({
      ALPNProtocols: ["h2", "http/1.1"],
      cert: tls.cert,
      key: tls.key,
      ca: tls.clientCa,
      requestCert: true,
      // A certificate of somebody else is a 401, not a broken connection.
      rejectUnauthorized: false,
      minVersion: "TLSv1.2",
      ciphers,
      honorCipherOrder: true,
      handshakeTimeout: headersMsMax,
    });
    this.#tls.maxConnections = connectionsMax;
    this.#tls.on("secureConnection", (socket) => this.#take(socket));
    // A client that fails to greet is its own business.
    this.#tls.on("tlsClientError", (_error, socket) => socket.destroy());
  }

  async listen({
    port,
    host,
  }: Pick<ListenOptions, "port" | "host">): Promise<{ port: number; host: string }> {
    this.#tls.listen({ port, ...(host && { host }), backlog: 1_024 });
    await once(this.#tls, "listening");
    const address = this.#tls.address();
    if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
    return { port: address.port, host: address.address };
  }

  /** Accepts no more, and ends what is open. */
  async close(): Promise<void> {
    const closed = once(this.#tls, "close");
    this.#tls.close();
    for (const session of this.#sessions) session.close();
    this.#http1.closeIdleConnections();
    this.#http1.close();
    // One turn for answers that were just ended.
    await new Promise((resolve) => setImmediate(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #take(socket: TLSSocket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.setNoDelay(true);
    if (socket.alpnProtocol === "h2") this.#http2.emit("connection", socket);
    else this.#http1.emit("connection", socket);
  }
}
