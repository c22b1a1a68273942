import type { Clock } from "../../base/index.ts";
import { CsiDriver } from "./csi-driver.ts";

/** How long a volume waits for the sockets that were there when the agent started to have registered. */
const firstRegistrationsMsMax = 5_000;

/**
 * The CSI drivers registered on this node, by name. Counterpart upstream: `DriversStore`.
 *
 * A driver comes and goes with its registration socket; who needs one that is not there is woken when it comes.
 */
export class CsiDrivers {
  readonly #drivers = new Map<string, { driver: CsiDriver; version: readonly number[] }>();
  readonly #listeners = new Set<(name: string) => void>();
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #settled: Promise<void> = Promise.resolve();

  constructor(options: { clock: Clock; timeoutMs: number }) {
    this.#clock = options.clock;
    this.#timeoutMs = options.timeoutMs;
  }

  /** The sockets found at the start have been asked, or have had their time. */
  settlesWith(first: Promise<void>): void {
    this.#settled = Promise.race([first, this.#clock.sleep(firstRegistrationsMsMax)]).catch(() => {});
  }

  /** Rejects with upstream's words when no such driver has registered. */
  async get(name: string): Promise<CsiDriver> {
    if (!this.#drivers.has(name)) await this.#settled;
    const found = this.#drivers.get(name);
    if (!found) throw new Error(`driver name ${name} not found in the list of registered CSI drivers`);
    return found.driver;
  }

  onRegistered(listener: (name: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Throws where the driver must not register.
   *
   * CSI has 0.x, which nobody speaks any more, and 1.x, whose minor versions understand each other.
   */
  check(name: string, endpoint: string, versions: readonly string[]): void {
    const failed = (why: string) =>
      new Error(
        `validation failed for CSI Driver ${name} at endpoint ${endpoint}: kubernetes.io/csi: ValidatePlugin for CSI driver "${name}" failed. ${why}`,
      );
    if (versions.length === 0) throw failed("Plugin returned an empty list for supported versions");
    const version = highestSupported(versions);
    if (!version) {
      const list = `[${versions.map((each) => JSON.stringify(each)).join(" ")}]`;
      throw failed(
        `None of the versions specified ${list} are supported. err=highest supported version reported by driver is not supported`,
      );
    }
    const existing = this.#drivers.get(name);
    if (existing && !isLess(existing.version, version))
      throw failed(
        `Another driver with the same name is already registered with a higher supported version: "${existing.version.join(".")}"`,
      );
  }

  async add(name: string, endpoint: string, versions: readonly string[]): Promise<CsiDriver> {
    const driver = await CsiDriver.connect({
      ...{ name, endpoint, clock: this.#clock, timeoutMs: this.#timeoutMs },
    });
    this.#drivers.get(name)?.driver.close();
    this.#drivers.set(name, { driver, version: highestSupported(versions) ?? [1, 0, 0] });
    return driver;
  }

  /** It can be used from now on. */
  registered(name: string): void {
    for (const listener of [...this.#listeners]) listener(name);
  }

  remove(name: string, endpoint: string): boolean {
    const found = this.#drivers.get(name);
    if (found?.driver.endpoint !== endpoint) return false;
    found.driver.close();
    return this.#drivers.delete(name);
  }

  close(): void {
    for (const { driver } of this.#drivers.values()) driver.close();
    this.#drivers.clear();
    this.#listeners.clear();
  }
}

function highestSupported(versions: readonly string[]): readonly number[] | undefined {
  return versions
    .flatMap((text) => {
      const match = /^v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
      return match ? [match.slice(1, 4).map((part) => Number(part ?? 0))] : [];
    })
    .filter(([major]) => major === 1)
    .sort((a, b) => (isLess(a, b) ? 1 : -1))[0];
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  for (const [i, part] of a.entries()) if (part !== b[i]) return part < (b[i] ?? 0);
  return false;
}
