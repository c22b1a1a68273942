import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { openSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import * as http from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { MessageChannel } from "node:worker_threads";
import { type Clock, replaceFile, startTicksOf } from "../../base/index.ts";
import { pushLayout } from "./push.ts";

/** A registry of this machine's own, on loopback. */
export interface LocalRegistry {
  /** `127.0.0.1:41234`. */
  host: string;
  pid: number;
  /** What makes names of docker.io resolve to it: the `mirrors` of `registries.yaml`. */
  mirrors: Record<string, { endpoint: string[] }>;
}

export interface LocalRegistryOptions {
  /** Its configuration, storage, log and pid. One registry a directory. */
  dir: string;
  clock: Clock;
  /** Images to push, by their full names: `docker.io/library/nginx:latest`, each an OCI layout. */
  images: readonly { name: string; layout: string }[];
  /** The program; Debian's by default. */
  program?: string;
}

const startMsMax = 15_000;
const lookEveryMs = 20;
const portTriesMax = 5;
const stopMsMax = 5_000;
/** Sent by our registry with every answer, so that no other server on its port is taken for it. */
const tokenHeader = "x-peapod-registry";

/** What is known of a running registry; survives the process that started it. */
interface RunFile {
  pid: number;
  /** From /proc: with the pid, names one process for all time. */
  startedAt: string;
  port: number;
  token: string;
}

/**
 * Runs a real registry (Debian's docker-registry) that serves `images`, detached from this process. Where the one of
 * this directory runs already, it is used; only what it lacks is pushed.
 *
 * @throws Error when the program is missing or does not come up; with the end of its log
 */
export async function ensureLocalRegistry(options: LocalRegistryOptions): Promise<LocalRegistry> {
  await mkdir(options.dir, { recursive: true, mode: 0o700 });
  const running = (await findRunning(options.dir)) ?? (await holdingProcess(() => start(options)));
  const registry = `http://127.0.0.1:${running.port}`;
  for (const { name, layout } of options.images) {
    const { repository, tag } = hubName(name);
    await pushLayout(layout, { registry, repository, tag });
  }
  return {
    host: `127.0.0.1:${running.port}`,
    pid: running.pid,
    mirrors: { "docker.io": { endpoint: [registry] } },
  };
}

/** The registry of this directory, if it runs. */
export async function localRegistryStatus(dir: string): Promise<{ pid: number; host: string } | undefined> {
  const running = await findRunning(dir);
  return running && { pid: running.pid, host: `127.0.0.1:${running.port}` };
}

/** Stops it, if it runs; what it stores stays, and so does its port for the next start. */
export async function stopLocalRegistry(options: { dir: string; clock: Clock }): Promise<void> {
  const file = await readRunFile(options.dir);
  if (file && isSameProcess(file)) {
    kill(file.pid, "SIGTERM");
    const deadlineMs = options.clock.monotonicMs() + stopMsMax;
    await holdingProcess(async () => {
      while (isSameProcess(file)) {
        if (options.clock.monotonicMs() > deadlineMs) kill(file.pid, "SIGKILL");
        await options.clock.sleep(lookEveryMs);
      }
    });
  }
}

/** A clock's timers do not keep a process alive; a command that only waits here must not end meanwhile. */
async function holdingProcess<T>(work: () => Promise<T>): Promise<T> {
  const { port1 } = new MessageChannel();
  port1.on("message", () => {});
  try {
    return await work();
  } finally {
    port1.close();
  }
}

function hubName(name: string): { repository: string; tag: string } {
  const match = /^docker\.io\/([^:@]+):([^:@]+)$/.exec(name);
  if (!match) throw new Error(`${name}: a name like docker.io/library/nginx:latest is needed`);
  return { repository: match[1]!, tag: match[2]! };
}

async function start(options: LocalRegistryOptions): Promise<RunFile> {
  const { dir } = options;
  // The port of the last run first: a mirrors' file that names it stays true.
  const lastPort = (await readRunFile(dir))?.port;
  let failure: unknown;
  for (let tries = 0; tries < portTriesMax; tries++) {
    const port = await freePort(tries === 0 ? lastPort : undefined);
    try {
      return await startOn(port, options);
    } catch (error) {
      // Somebody may have taken the port between looking and binding.
      failure = error;
      if ((error as NodeJS.ErrnoException).code === "ENOENT") break;
    }
  }
  throw failure;
}

async function startOn(port: number, options: LocalRegistryOptions): Promise<RunFile> {
  const { dir, clock, program = "docker-registry" } = options;
  const token = randomBytes(16).toString("hex");
  const config = join(dir, "config.yml");
  await writeFile(config, configuration(dir, port, token), { mode: 0o600 });
  const logPath = join(dir, "registry.log");
  const log = openSync(logPath, "w", 0o600);
  const child = spawn(program, ["serve", config], { detached: true, stdio: ["ignore", log, log], cwd: dir });
  child.unref();
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "ENOENT"
          ? Object.assign(new Error(`${program} is not on this machine (Debian package docker-registry)`), {
              code: "ENOENT",
            })
          : error,
      ),
    );
  });
  const file: RunFile = { pid: child.pid!, startedAt: startTicksOf(child.pid!) ?? "", port, token };
  replaceFile(runFilePath(dir), JSON.stringify(file), { mode: 0o600 });
  const deadlineMs = clock.monotonicMs() + startMsMax;
  while (!(await answers(file))) {
    const isGone = child.exitCode !== null || child.signalCode !== null;
    if (isGone || clock.monotonicMs() > deadlineMs) {
      if (!isGone) child.kill("SIGKILL");
      const said = (await readFile(logPath, "utf8").catch(() => "")).trim().slice(-500);
      throw new Error(`${program} did not come up on port ${port}: ${said}`);
    }
    await clock.sleep(lookEveryMs);
  }
  return file;
}

function configuration(dir: string, port: number, token: string): string {
  // JSON is YAML. Without an access log: nobody would rotate it.
  return JSON.stringify({
    version: 0.1,
    log: { level: "error", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(dir, "storage") }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}`, headers: { [tokenHeader]: [token] } },
  });
}

async function findRunning(dir: string): Promise<RunFile | undefined> {
  const file = await readRunFile(dir);
  return file && isSameProcess(file) && (await answers(file)) ? file : undefined;
}

function runFilePath(dir: string): string {
  return join(dir, "registry.json");
}

async function readRunFile(dir: string): Promise<RunFile | undefined> {
  try {
    return JSON.parse(await readFile(runFilePath(dir), "utf8")) as RunFile;
  } catch {
    return undefined;
  }
}

function isSameProcess(file: RunFile): boolean {
  return startTicksOf(file.pid) === file.startedAt;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Whether it is our registry that listens there. */
function answers(file: RunFile): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.get(
      `http://127.0.0.1:${file.port}/v2/`,
      { timeout: 2_000, agent: false },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200 && response.headers[tokenHeader] === file.token);
      },
    );
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(false));
  });
}

/** `wanted` if nobody listens there, else any free one. */
async function freePort(wanted?: number): Promise<number> {
  const tryPort = (port: number) =>
    new Promise<number | undefined>((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(undefined));
      server.listen(port, "127.0.0.1", () => {
        const { port: got } = server.address() as { port: number };
        server.close(() => resolve(got));
      });
    });
  const port = (wanted !== undefined && (await tryPort(wanted))) || (await tryPort(0));
  if (!port) throw new Error("no free port on 127.0.0.1");
  return port;
}
