/** Something that must be well for the server to be. Resolves, or rejects with why not. */
export interface HealthCheck {
  name: string;
  check(): Promise<void> | void;
}

export interface HealthReport {
  code: 200 | 500;
  text: string;
}

/** `/healthz`, `/livez` and `/readyz`, with `?verbose` and `?exclude`, and each check by its own path. As `server/healthz`. */
export class Health {
  readonly #checks = new Map<string, HealthCheck[]>([
    ["healthz", []],
    ["livez", []],
    ["readyz", []],
  ]);

  /** `readyz`: must be well before others are sent here; `livez`: a restart would help. */
  add(endpoint: "livez" | "readyz", check: HealthCheck): void {
    const endpoints = endpoint === "livez" ? ["healthz", "livez", "readyz"] : ["readyz"];
    for (const each of endpoints) this.#checks.get(each)!.push(check);
  }

  /** Undefined when there is no such path. */
  async report(
    path: string,
    options: { verbose: boolean; exclude: readonly string[] },
  ): Promise<HealthReport | undefined> {
    const [endpoint, ...rest] = path.slice(1).split("/");
    const checks = this.#checks.get(endpoint!);
    if (!checks) return undefined;
    const name = rest.join("/");
    if (name) {
      const one = checks.find((check) => check.name === name);
      if (!one) return name === "ping" ? { code: 200, text: "ok" } : undefined;
      const why = await failureOf(one);
      return why === undefined
        ? { code: 200, text: "ok" }
        : { code: 500, text: `internal server error: ${why}\n` };
    }
    return this.#all(endpoint!, checks, options);
  }

  async #all(
    endpoint: string,
    checks: readonly HealthCheck[],
    { verbose, exclude }: { verbose: boolean; exclude: readonly string[] },
  ): Promise<HealthReport> {
    const lines = exclude.includes("ping") ? ["[+]ping excluded: ok"] : ["[+]ping ok"];
    let failed = 0;
    for (const check of checks) {
      if (exclude.includes(check.name)) {
        lines.push(`[+]${check.name} excluded: ok`);
        continue;
      }
      const why = await failureOf(check);
      if (why !== undefined) failed++;
      // As upstream: why is for the log, and for who may read it by the check's own path.
      lines.push(why === undefined ? `[+]${check.name} ok` : `[-]${check.name} failed: reason withheld`);
    }
    if (failed > 0) return { code: 500, text: `${lines.join("\n")}\n${endpoint} check failed\n` };
    return { code: 200, text: verbose ? `${lines.join("\n")}\n${endpoint} check passed\n` : "ok" };
  }
}

async function failureOf(check: HealthCheck): Promise<string | undefined> {
  try {
    await check.check();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
