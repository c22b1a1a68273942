import type { UserInfo } from "../../auth/index.ts";
import type { Caller } from "../context.ts";
import type { Exchange } from "./exchange.ts";

/** Who makes a request over HTTP; what is said beside the answer becomes headers of it. */
export class HttpCaller implements Caller {
  readonly user: UserInfo;
  readonly #exchange: Exchange;
  readonly #warnings: string[];
  #gone: AbortController | undefined;

  constructor(exchange: Exchange, user: UserInfo, warnings: string[]) {
    this.user = user;
    this.#exchange = exchange;
    this.#warnings = warnings;
  }

  get userAgent(): string {
    return this.#exchange.header("user-agent") ?? "";
  }

  /** Made when it is asked for: few requests do, and an AbortController costs as much as the look-up of a pod. */
  get signal(): AbortSignal {
    if (!this.#gone) {
      const controller = new AbortController();
      this.#gone = controller;
      this.#exchange.onClose(() => controller.abort());
    }
    return this.#gone.signal;
  }

  warn(message: string): void {
    if (!this.#warnings.includes(message)) this.#warnings.push(message);
  }
}
