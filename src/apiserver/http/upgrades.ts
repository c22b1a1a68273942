import { notAcceptable } from "../../machinery/index.ts";
import type { Serving } from "../context.ts";
import type { Authentication } from "./authenticate.ts";
import type { UpgradeRequest } from "./listener.ts";

/** Requests that take their connection over: exec, attach and port-forward. */
export class Upgrades {
  readonly #serving: Serving;
  readonly #authentication: Authentication;

  constructor(serving: Serving, authentication: Authentication) {
    this.#serving = serving;
    this.#authentication = authentication;
  }

  async handle({ socket }: UpgradeRequest): Promise<void> {
    void this.#serving;
    void this.#authentication;
    void notAcceptable;
    socket.destroy();
  }
}
