import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { dataDir } from "../src/cli/index.ts";
import { instanceOf } from "../src/engine.ts";
import { provideDemoImages } from "../src/testing/index.ts";
import { ApiClient } from "./api-client.ts";

const cacheDir = process.env.PEAPOD_CACHE_DIR ?? "/var/cache/peapod";
/** Where images built from Debian's packages are kept. */
export const imagesDir = join(cacheDir, "images");
/** Where kubectl is unpacked to. */
export const kubectlDir = join(cacheDir, "kubectl");
/** What a user starts; it builds first, where something has changed. */
const peapod = fileURLToPath(new URL("../peapod", import.meta.url));

/** A real cluster in a process of its own, as `peapod up` starts it; purged afterwards. */
export class BenchCluster {
  readonly dataDir = mkdtempSync(join(tmpdir(), "peapod-bench-"));
  readonly kubeconfig = join(this.dataDir, "kubeconfig");
  #client: ApiClient | undefined;

  async up(...args: string[]): Promise<void> {
    await provideDemoImages({
      cacheDir: imagesDir,
      registryDir: join(this.dataDir, "registry"),
      registries: join(this.dataDir, "registries.yaml"),
      source: "debian",
      task: (_title, work) => work(),
    });
    this.run("up", "--detach", "--log-level", "error", ...args);
  }

  run(command: string, ...args: string[]): void {
    const { status, stderr } = spawnSync(peapod, [command, "--data-dir", this.dataDir, ...args]);
    if (status !== 0) throw new Error(`peapod ${command}: ${stderr}`);
  }

  image(command: string, ...args: string[]): void {
    const { status, stderr } = spawnSync(peapod, ["image", command, "--data-dir", this.dataDir, ...args]);
    if (status !== 0) throw new Error(`peapod image ${command}: ${stderr}`);
  }

  /** From spawn until `/readyz` says ok, in milliseconds; the process ends afterwards by SIGKILL. */
  async coldStartMs(): Promise<number> {
    const startMs = performance.now();
    const child = spawn(peapod, ["up", "--data-dir", this.dataDir, "--log-level", "error", "--port", "0"], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    try {
      const until = async (isSo: () => boolean | Promise<boolean>) => {
        while (!(await isSo())) {
          if (child.exitCode !== null) throw new Error(`peapod up ended with code ${child.exitCode}`);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      };
      await until(() => this.#isReady());
      const tookMs = performance.now() - startMs;
      // A start that is let finish leaves what every used directory has.
      await until(() => this.#read("run.json").includes("readyAt"));
      return tookMs;
    } finally {
      child.kill("SIGKILL");
      await new Promise((resolve) => child.once("exit", resolve));
      rmSync(join(this.dataDir, "run.json"), { force: true });
    }
  }

  #read(file: string): string {
    try {
      return readFileSync(join(this.dataDir, file), "utf8");
    } catch {
      return "";
    }
  }

  /** As whoever holds the kubeconfig sees it. */
  #isReady(): Promise<boolean> {
    const url = /server: "?(https:[^\s"]+)/.exec(this.#read("kubeconfig"))?.[1];
    if (!url) return Promise.resolve(false);
    return new Promise((resolve) => {
      const req = request(`${url}/readyz`, { rejectUnauthorized: false, agent: false }, (res) => {
        res.resume();
        res.on("end", () => resolve(res.statusCode === 200));
      });
      req.on("error", () => resolve(false));
      req.end();
    });
  }

  get client(): ApiClient {
    this.#client ??= new ApiClient(this.kubeconfig);
    return this.#client;
  }

  /** The engine's, with a bundle a container. */
  get runDir(): string {
    return instanceOf(dataDir(this.dataDir)).runDir;
  }

  get pid(): number {
    return (JSON.parse(readFileSync(join(this.dataDir, "run.json"), "utf8")) as { pid: number }).pid;
  }

  /** Resident memory of every process that belongs to this cluster. */
  residentBytes(): number {
    return processesOf(this.dataDir, this.pid).reduce((sum, pid) => sum + residentBytesOf(pid), 0);
  }

  /** CPU time of the process so far, in seconds. */
  cpuS(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  down(): void {
    this.#client?.close();
    this.run("down", "--purge");
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

function processesOf(dataDir: string, pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => candidate === pid || mentions(candidate, dataDir, pid));
}

function mentions(pid: number, dataDir: string, parent: number): boolean {
  try {
    if (readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(dataDir)) return true;
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === parent;
  } catch {
    return false;
  }
}

function residentBytesOf(pid: number): number {
  try {
    const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return Number(match?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
