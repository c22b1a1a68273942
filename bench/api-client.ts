import { readFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { Agent, request } from "node:https";
import { parse } from "yaml";

/** As Go's clients, which kubectl and every controller is: Node's own 64 KiB would have the server wait for each of them. */
const streamWindowBytes = 4 * 2 ** 20;
const connectionWindowBytes = 2 ** 30;

/** Just enough of a client that its own cost does not hide the server's. */
export class ApiClient {
  readonly url: URL;
  readonly tls: { ca: Buffer; cert: Buffer; key: Buffer };
  readonly #agent: Agent;

  constructor(kubeconfig: string, connections = 256) {
    const config = parse(readFileSync(kubeconfig, "utf8"));
    const decode = (text: string) => Buffer.from(text, "base64");
    this.url = new URL(config.clusters[0].cluster.server);
    this.tls = {
      ca: decode(config.clusters[0].cluster["certificate-authority-data"]),
      cert: decode(config.users[0].user["client-certificate-data"]),
      key: decode(config.users[0].user["client-key-data"]),
    };
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, ...this.tls });
  }

  /** Resolves with the whole body; rejects past 399. */
  send(
    method: string,
    path: string,
    body?: string | Buffer,
    headers: Record<string, string> = {},
  ): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const req = request(
        new URL(path, this.url),
        {
          method,
          agent: this.#agent,
          headers: {
            accept: "application/json",
            ...(body !== undefined && {
              "content-type": "application/json",
              "content-length": String(Buffer.byteLength(body)),
            }),
            ...headers,
          },
        },
        (res) => {
          const chunks: Buffer[] = [];
          res.on("data", (chunk: Buffer) => chunks.push(chunk));
          res.on("end", () => {
            const whole = Buffer.concat(chunks);
            if (res.statusCode! < 400) resolve(whole);
            else reject(new Error(`${method} ${path}: ${res.statusCode} ${whole.toString().slice(0, 300)}`));
          });
          res.on("error", reject);
        },
      );
      req.on("error", reject);
      req.end(body);
    });
  }

  async json<T = any>(
    method: string,
    path: string,
    body?: object,
    headers?: Record<string, string>,
  ): Promise<T> {
    return JSON.parse((await this.send(method, path, body && JSON.stringify(body), headers)).toString()) as T;
  }

  /** A watch on a connection of its own; `onLine` gets each event's bytes. Resolves once the answer's head is in. */
  watch(path: string, onLine: (line: Buffer) => void): Promise<{ close(): void }> {
    return new Promise((resolve, reject) => {
      const req = request(new URL(path, this.url), { agent: false, ...this.tls }, (res) => {
        if (res.statusCode !== 200) return reject(new Error(`watch ${path}: ${res.statusCode}`));
        res.on("data", splitLines(onLine));
        res.on("error", () => {});
        resolve({ close: () => req.destroy() });
      });
      req.on("error", reject);
      req.end();
    });
  }

  http2(): ClientHttp2Session {
    const session = connect(this.url, { ...this.tls, settings: { initialWindowSize: streamWindowBytes } });
    session.once("connect", () => session.setLocalWindowSize(connectionWindowBytes));
    return session;
  }

  watchHttp2(session: ClientHttp2Session, path: string, onLine: (line: Buffer) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const stream = session.request({ ":path": path, accept: "application/json" });
      stream.on("response", (headers) =>
        headers[":status"] === 200 ? resolve() : reject(new Error(`watch ${path}: ${headers[":status"]}`)),
      );
      stream.on("data", splitLines(onLine));
      stream.on("error", () => {});
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function splitLines(onLine: (line: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer | undefined;
  return (chunk) => {
    let data = rest ? Buffer.concat([rest, chunk]) : chunk;
    rest = undefined;
    for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10)) {
      onLine(data.subarray(0, end));
      data = data.subarray(end + 1);
    }
    if (data.length > 0) rest = data;
  };
}
