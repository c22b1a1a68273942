import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import type { DialError, Dialer } from "../dialer.ts";

/** What every dialer does. */
export function dialerSuite(name: string, open: () => Promise<Dialer>): void {
  async function withServer(
    onConnection: (socket: Socket) => void,
    use: (dialer: Dialer, to: { host: string; port: number }) => Promise<void>,
    host = "127.0.0.1",
  ): Promise<void> {
    const sockets = new Set<Socket>();
    const server: Server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      onConnection(socket);
    });
    server.listen(0, host);
    await once(server, "listening");
    const dialer = await open();
    try {
      await use(dialer, { host, port: (server.address() as AddressInfo).port });
    } finally {
      dialer.close();
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  }
  const timeoutMs = 30_000;

  for (const host of ["127.0.0.1", "::1"]) {
    test(`${name}: sends a request to ${host} and reads until it has enough`, async () => {
      await withServer(
        (socket) => socket.once("data", (data) => socket.write(`you said ${data}`)),
        async (dialer, to) => {
          let heard = "";
          const end = await dialer.exchange(to, Buffer.from("hello"), {
            timeoutMs,
            onData: (piece) => {
              heard += piece;
              return heard.endsWith("hello") ? "enough" : "more";
            },
          });
          assert.deepEqual([end, heard], ["enough", "you said hello"]);
        },
        host,
      );
    });
  }

  test(`${name}: a connection without a request is over once it stands`, async () => {
    await withServer(
      () => {},
      async (dialer, to) => assert.equal(await dialer.exchange(to, undefined, { timeoutMs }), "enough"),
    );
  });

  test(`${name}: the other side's end is told, after all it said`, async () => {
    const long = "x".repeat(100_000);
    await withServer(
      (socket) => socket.end(long),
      async (dialer, to) => {
        let bytes = 0;
        const onData = (piece: Buffer) => {
          bytes += piece.length;
          return "more" as const;
        };
        assert.equal(await dialer.exchange(to, Buffer.from("?"), { timeoutMs, onData }), "closed");
        assert.equal(bytes, long.length);
      },
    );
  });

  test(`${name}: an answer that does not come is a timeout`, async () => {
    await withServer(
      () => {},
      async (dialer, to) =>
        assert.equal(await dialer.exchange(to, Buffer.from("?"), { timeoutMs: 50 }), "timeout"),
    );
  });

  test(`${name}: a port that nobody listens on refuses`, async () => {
    const dialer = await open();
    try {
      const refused = dialer.exchange({ host: "127.0.0.1", port: 1 }, undefined, { timeoutMs });
      await assert.rejects(refused, ({ code, address, port }: DialError) => {
        assert.deepEqual([code, address, port], ["ECONNREFUSED", "127.0.0.1", 1]);
        return true;
      });
    } finally {
      dialer.close();
    }
  });

  test(`${name}: many at a time`, async () => {
    await withServer(
      (socket) => socket.once("data", (data) => setTimeout(() => socket.end(data), 5)),
      async (dialer, to) => {
        const echo = async (i: number) => {
          let heard = "";
          await dialer.exchange(to, Buffer.from(`${i}`), {
            timeoutMs,
            onData: (piece) => {
              heard += piece;
              return "more";
            },
          });
          assert.equal(heard, `${i}`);
        };
        await Promise.all(Array.from({ length: 300 }, (_, i) => echo(i)));
      },
    );
  });
}
