import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DriverSettings } from "./driver.ts";

const program = fileURLToPath(new URL("driver.ts", import.meta.url));

export interface DriverCall {
  method: string;
  request: Record<string, any>;
}

/** The CSI driver as a process of its own, beside a cluster's node. */
export class DriverProcess {
  readonly settings: DriverSettings;
  #process: ChildProcess | undefined;

  private constructor(settings: DriverSettings) {
    this.settings = settings;
  }

  /** Not started yet. `kubeletDir`: the agent's folder. */
  static of(
    kubeletDir: string,
    settings: Partial<DriverSettings> & Pick<DriverSettings, "name" | "stateDir">,
  ): DriverProcess {
    const { name } = settings;
    mkdirSync(settings.stateDir, { recursive: true });
    return new DriverProcess({
      nodeId: "node-of-driver",
      socket: join(kubeletDir, "plugins", name, "csi.sock"),
      registrationSocket: join(kubeletDir, "plugins_registry", `${name}-reg.sock`),
      versions: ["1.0.0"],
      capabilities: ["STAGE_UNSTAGE_VOLUME", "GET_VOLUME_STATS", "EXPAND_VOLUME"],
      volumesMax: 0,
      topology: {},
      ...settings,
    });
  }

  /** Resolves when it serves, and its registration socket is there. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, ["--import", "tsx", program, JSON.stringify(this.settings)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      child.stdout!.once("data", () => resolve());
      child.once("exit", (code) => reject(new Error(`the driver ended with ${code}`)));
    });
  }

  /** As one that crashes: its sockets stay. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** In order: its registration socket goes. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  }

  /** Everything it was asked so far. */
  calls(method?: string): DriverCall[] {
    const path = join(this.settings.stateDir, "calls");
    if (!existsSync(path)) return [];
    const lines = readFileSync(path, "utf8").split("\n").filter(Boolean);
    const all = lines.map((line) => JSON.parse(line) as DriverCall);
    return method ? all.filter((call) => call.method === method) : all;
  }

  /** From now on the method fails (`13 the disk is on fire`) or never answers (`hang`); undefined: it works again. */
  fault(method: string, what: string | undefined): void {
    const path = join(this.settings.stateDir, `fault-${method}`);
    if (what === undefined) rmSync(path, { force: true });
    else writeFileSync(path, what);
  }
}
