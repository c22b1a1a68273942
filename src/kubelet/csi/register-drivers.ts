import type { Log } from "../../base/index.ts";
import type { PluginHandler, RegisteringPlugin } from "../plugins/plugin-registration.ts";
import { messageOf } from "../worker/start-error.ts";
import type { CsiDrivers } from "./drivers.ts";
import type { CsiNodeInfo } from "./node-info.ts";
import type { NodeLimits } from "./node-limits.ts";

/** A driver that registers is asked about this node, and what it says is told to the API. */
export class CsiRegistration implements PluginHandler {
  readonly #drivers: CsiDrivers;
  readonly #nodeInfo: CsiNodeInfo;
  readonly #limits: NodeLimits;
  readonly #log: Log;

  constructor(options: { drivers: CsiDrivers; nodeInfo: CsiNodeInfo; limits: NodeLimits; log: Log }) {
    this.#drivers = options.drivers;
    this.#nodeInfo = options.nodeInfo;
    this.#limits = options.limits;
    this.#log = options.log;
  }

  async register({ name, endpoint, versions }: RegisteringPlugin): Promise<void> {
    this.#drivers.check(name, endpoint, versions);
    const driver = await this.#drivers.add(name, endpoint, versions);
    try {
      await this.#nodeInfo.tell(driver);
    } catch (error) {
      await this.deregister(name, endpoint);
      throw error;
    }
    this.#drivers.registered(name);
    this.#limits.registered(driver);
  }

  async deregister(name: string, endpoint: string): Promise<void> {
    // Another may have taken its name.
    if (!this.#drivers.remove(name, endpoint)) return;
    this.#limits.deregistered(name);
    await this.#nodeInfo.uninstall(name).catch((error) => {
      this.#log.warn({ driver: name, error: messageOf(error) }, "a driver could not be taken off the node");
    });
  }
}
