import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { PassThrough, type Readable } from "node:stream";
import { after, afterEach, before, describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { WebSocket } from "ws";
import { type PodServer, startPodServer } from "./pod-server.suite.ts";
import { headerDictionary } from "./spdy/dictionary.ts";
import { TerminalSizes } from "./terminal-sizes.ts";

let server: PodServer;
const sockets: WebSocket[] = [];
before(async () => {
  server = await startPodServer();
});
afterEach(() => {
  server.pod = {};
  for (const socket of sockets.splice(0)) socket.terminate();
});
after(() => server.close());

const path = "/api/v1/namespaces/default/pods/p";

/** A client as other languages' libraries have it. Its messages are gathered by channel. */
function open(query: string, protocols: string[]) {
  const socket = new WebSocket(`${server.url.replace("https", "wss")}${path}/${query}`, protocols, {
    rejectUnauthorized: false,
  });
  sockets.push(socket);
  const received: Record<string, Buffer[]> = {};
  socket.on("message", (data: Buffer, isBinary) => {
    const channel = isBinary ? String(data[0]) : data.toString("latin1", 0, 1);
    const rest = data.subarray(1);
    received[channel] ??= [];
    received[channel].push(isBinary ? rest : Buffer.from(rest.toString("latin1"), "base64"));
  });
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const all = (channel: number) => Buffer.concat(received[String(channel)] ?? []);
  return { socket, closed, all };
}
const exec = (command: string) =>
  `exec?stdin=true&stdout=true&stderr=true&command=sh&command=-c&command=${encodeURIComponent(command)}`;

describe("exec over a WebSocket", () => {
  test("v4 ends with a Status of the exit code", async () => {
    const { socket, closed, all } = open(exec("head -c 5; echo err >&2; exit 5"), ["v4.channel.k8s.io"]);
    await once(socket, "open");
    assert.equal(socket.protocol, "v4.channel.k8s.io");
    socket.send(Buffer.from("\0hello"));
    await closed;
    assert.deepEqual([all(1).toString(), all(2).toString()], ["hello", "err\n"]);
    assert.deepEqual(JSON.parse(all(3).toString()).details.causes, [{ reason: "ExitCode", message: "5" }]);
  });

  test("v5 ends one channel with the close signal", async () => {
    const { socket, closed, all } = open(exec("cat; echo err >&2; exit 5"), ["v5.channel.k8s.io"]);
    await once(socket, "open");
    socket.send(Buffer.from("\0hello"));
    socket.send(Buffer.from([255, 0]));
    await closed;
    assert.equal(all(1).toString(), "hello");
    assert.equal(all(2).toString(), "err\n");
    const status = JSON.parse(all(3).toString());
    assert.equal(status.reason, "NonZeroExitCode");
    assert.deepEqual(status.details.causes, [{ reason: "ExitCode", message: "5" }]);
  });

  test("base64 carries any bytes as text", async () => {
    const { socket, closed, all } = open(exec("head -c 3; printf '\\377\\000'"), [
      "v4.base64.channel.k8s.io",
    ]);
    await once(socket, "open");
    socket.send(`0${Buffer.from([1, 0, 254]).toString("base64")}`);
    await closed;
    assert.deepEqual([...all(1)], [1, 0, 254, 255, 0]);
    assert.deepEqual(JSON.parse(all(3).toString()), { metadata: {}, status: "Success" });
  });

  test("before v4 a failure is a sentence, and success is silence", async () => {
    const failing = open(exec("exit 2"), ["channel.k8s.io"]);
    await failing.closed;
    assert.match(failing.all(3).toString(), /^command terminated with non-zero exit code: .* exit code 2$/);
    const nameless = open(exec("exit 0"), []);
    await nameless.closed;
    assert.equal(nameless.all(3).toString(), "");
  });

  test("a subprotocol that is not known is refused with what is", async () => {
    const { socket } = open(exec("true"), ["v9.channel.k8s.io"]);
    const [error] = await once(socket, "error");
    assert.match(String(error), /400/);
  });

  test("a slow client holds the command back, and nothing piles up", async () => {
    let writtenBytes = 0;
    server.pod.run = async (_command, { stdout }, signal) => {
      const piece = Buffer.alloc(64 * 1024);
      while (!signal.aborted && writtenBytes < 1 << 30) {
        writtenBytes += piece.length;
        if (!stdout!.write(piece)) {
          await once(stdout!, "drain", { signal }).catch(() => {});
        }
      }
      return { exitCode: 0 };
    };
    const { socket } = open(exec("yes"), ["v5.channel.k8s.io"]);
    await once(socket, "open");
    socket.pause();
    let before = -1;
    // Until it stands still: what the kernel's buffers on both sides hold.
    while (before !== writtenBytes) {
      before = writtenBytes;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.ok(writtenBytes < 32 << 20, `${writtenBytes} bytes were taken`);
  });

  test("a command that does not read its stdin holds the client back, and still hears of its end", async () => {
    let signal: AbortSignal | undefined;
    let stdin: Readable | undefined;
    server.pod.run = (_command, streams, given) => {
      signal = given;
      stdin = streams.stdin;
      return new Promise((resolve) => given.addEventListener("abort", () => resolve({ exitCode: 137 })));
    };
    const { socket, closed } = open(exec("sleep"), ["v5.channel.k8s.io"]);
    await once(socket, "open");
    const message = Buffer.alloc(64 * 1024);
    for (let i = 0; i < 640; i++) socket.send(message);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(socket.bufferedAmount > 10 << 20, "the client could send it all");
    assert.ok(stdin!.readableLength < 2 << 20, `${stdin!.readableLength} bytes are held`);
    stdin!.resume();
    socket.terminate();
    await closed;
    if (!signal!.aborted) await once(signal!, "abort");
  });
});

describe("port-forward over a WebSocket's channels", () => {
  test("names the port on both channels, then carries data, and errors beside it", async () => {
    const echo = createServer((socket) => socket.pipe(socket));
    echo.listen(0, "127.0.0.1");
    await once(echo, "listening");
    const { port } = echo.address() as AddressInfo;
    server.pod.connect = async (wanted) => {
      if (wanted === 81) throw new Error("connection refused");
      const socket = connect(port, "127.0.0.1");
      await once(socket, "connect");
      return socket;
    };
    const { socket, all } = open("portforward?ports=80&ports=81", ["v4.channel.k8s.io"]);
    await once(socket, "open");
    socket.send(Buffer.from("\0ping"));
    while (all(0).length < 6 || all(3).length < 3) await once(socket, "message");
    assert.deepEqual([all(0).readUInt16LE(), all(1).readUInt16LE(), all(2).readUInt16LE()], [80, 80, 81]);
    assert.equal(all(0).subarray(2).toString(), "ping");
    assert.equal(all(3).subarray(2).toString(), "error forwarding port 81: connection refused");
    echo.close();
    socket.terminate();
  });
});

describe("an upgrade that cannot be served", () => {
  /** The answer to a raw request. */
  async function ask(headers: string, query = exec("true")): Promise<string> {
    const { hostname, port } = new URL(server.url);
    const socket = connectTls({ host: hostname, port: Number(port), rejectUnauthorized: false });
    socket.write(`GET ${path}/${query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n${headers}\r\n\r\n`);
    let answer = "";
    for await (const piece of socket) answer += piece;
    return answer;
  }

  test("is answered with a Status", async () => {
    const h2 = await ask("Upgrade: h2c");
    assert.match(h2, /^HTTP\/1\.1 400 .*unable to upgrade: missing upgrade headers in request/s);
    const spdy = await ask("Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v9.channel.k8s.io");
    assert.match(spdy, /^HTTP\/1\.1 403 .*x-accepted-stream-protocol-versions: v4\.channel\.k8s\.io, /s);
    const none = await ask("Upgrade: SPDY/3.1", "exec?command=true");
    assert.match(none, /you must specify at least 1 of stdin, stdout, stderr/);
  });
});

test("SPDY's dictionary is the specification's, by length", () => {
  assert.equal(headerDictionary.length, 1423);
});

test("terminal sizes come in pieces, and only the newest is kept", async () => {
  const source = new PassThrough();
  const sizes = new TerminalSizes(source)[Symbol.asyncIterator]();
  source.write('{"Width":1,"Height":2}\n{"Wid');
  source.write('th":80,"Height":24} nonsense} {"Width":-1,"Height":70000}{"Width":100');
  await new Promise(setImmediate);
  assert.deepEqual((await sizes.next()).value, { columns: 80, rows: 24 });
  source.end(',"Height":30}');
  assert.deepEqual((await sizes.next()).value, { columns: 100, rows: 30 });
  assert.equal((await sizes.next()).done, true);
});
