import type { Clock, Log } from "../../base/index.ts";
import { messageOf } from "../worker/start-error.ts";
import type { CsiDriver } from "./csi-driver.ts";
import type { DriverObjects } from "./driver-objects.ts";
import type { CsiNodeInfo } from "./node-info.ts";
import { Recurring } from "./recurring.ts";

type AskedDriver = Pick<CsiDriver, "name" | "getInfo">;

const failed = "a driver could not be asked for its limits";

/**
 * How many volumes of a driver this node can have may change while it runs: a driver whose CSIDriver says how often is
 * asked anew. Counterpart upstream: `csiNodeUpdater`.
 */
export class NodeLimits {
  readonly #objects: Pick<DriverObjects, "spec" | "onChange">;
  readonly #nodeInfo: Pick<CsiNodeInfo, "tell">;
  readonly #log: Log;
  readonly #recurring: Recurring;
  /** The drivers that have registered, and how often each is asked; 0 is never. */
  readonly #drivers = new Map<string, { driver: AskedDriver; periodS: number }>();
  readonly #stopListening: () => void;

  constructor(options: {
    objects: Pick<DriverObjects, "spec" | "onChange">;
    nodeInfo: Pick<CsiNodeInfo, "tell">;
    clock: Clock;
    log: Log;
  }) {
    const { clock, log } = options;
    this.#objects = options.objects;
    this.#nodeInfo = options.nodeInfo;
    this.#log = log;
    this.#recurring = new Recurring({ clock, log, failed });
    this.#stopListening = this.#objects.onChange(() => {
      for (const name of this.#drivers.keys()) void this.#follow(name);
    });
  }

  registered(driver: AskedDriver): void {
    this.deregistered(driver.name);
    this.#drivers.set(driver.name, { driver, periodS: 0 });
    void this.#follow(driver.name);
  }

  /** The driver has refused a volume: what is known of its limits is too much. Does not reject. */
  async askNow(name: string): Promise<void> {
    const driver = this.#drivers.get(name)?.driver;
    if (!driver) return;
    await this.#nodeInfo.tell(driver).catch((error) => {
      this.#log.warn({ driver: name, error: messageOf(error) }, failed);
    });
  }

  deregistered(name: string): void {
    this.#recurring.drop(name);
    this.#drivers.delete(name);
  }

  close(): void {
    this.#stopListening();
    this.#recurring.close();
    this.#drivers.clear();
  }

  async #follow(name: string): Promise<void> {
    const { nodeAllocatableUpdatePeriodSeconds: periodS = 0 } = (await this.#objects.spec(name)) ?? {};
    const known = this.#drivers.get(name);
    if (!known || known.periodS === periodS) return;
    known.periodS = periodS;
    this.#recurring.drop(name);
    if (periodS > 0)
      this.#recurring.keep(name, (signal) => this.#nodeInfo.tell(known.driver, signal), periodS * 1_000);
  }
}
