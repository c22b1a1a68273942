import { connect, type Socket } from "node:net";
import type { Clock } from "../../base/index.ts";
import { DialError, type Dialer, type ExchangeEnd, type ExchangeOptions } from "../dialer.ts";

/** On Node's own sockets. */
export class NodeDialer implements Dialer {
  readonly #clock: Clock;
  readonly #open = new Set<Socket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  exchange(
    to: { host: string; port: number },
    request: Buffer | undefined,
    { timeoutMs, onData }: ExchangeOptions,
  ): Promise<ExchangeEnd> {
    return new Promise((resolve, reject) => {
      const socket = connect(to);
      this.#open.add(socket);
      const timer = this.#clock.after(timeoutMs, () => settle(socket.connecting ? "unreached" : "timeout"));
      const settle = (end: ExchangeEnd) => {
        timer.cancel();
        socket.destroy();
        this.#open.delete(socket);
        resolve(end);
      };
      socket.once("connect", () => (request ? socket.write(request) : settle("enough")));
      socket.on("data", (piece) => {
        if (onData?.(piece) === "enough") settle("enough");
      });
      socket.once("end", () => settle("closed"));
      socket.once("error", (error: NodeJS.ErrnoException) => {
        // A promise keeps its first outcome.
        reject(new DialError(error.code ?? error.message, to));
        settle("closed");
      });
    });
  }

  close(): void {
    for (const socket of this.#open) socket.destroy(new Error("closed"));
  }
}
