import { spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync, watch } from "node:fs";
import { createServer } from "node:net";
import { basename, resolve } from "node:path";
import { startTicksOf } from "../../base/index.ts";
import type { ClusterOptions, PodsAtStop, RunningCluster } from "../cluster.ts";
import type { CommandContext } from "../context.ts";
import { serveControl } from "../control/server.ts";
import { UserError } from "../errors.ts";
import { requireAbleHost } from "../host/checks.ts";
import { isMachineStopping } from "../host/machine.ts";
import { removeRunFile, runningProcess, writeRunFile } from "../run-file.ts";

export interface UpOptions {
  port: number;
  kubeconfig?: string;
  detach?: boolean;
  ephemeral?: boolean;
  logLevel: ClusterOptions["logLevel"];
  nodeName: string;
  runtimeEndpoint?: string;
  kubeletConfig?: string;
}

/** How long a start may take before `up` gives up: a slow disk and a cold cache included. */
const readyMsMax = 60_000;

export async function up(context: CommandContext, options: UpOptions): Promise<void> {
  requireAbleHost(context);
  const running = runningProcess(context.dir);
  if (running) {
    if (!options.detach) {
      throw new UserError(`already running on ${running.url} (process ${running.pid})`, {
        remedy: "peapod down, or choose another --data-dir",
      });
    }
    context.print(`Already running on ${running.url}`);
    return mergeKubeconfig(context, options);
  }
  if (options.port !== 0) await requireFreePort(options.port);
  mkdirSync(context.dir.root, { recursive: true, mode: 0o700 });
  return options.detach ? upDetached(context, options) : upInForeground(context, options);
}

async function upInForeground(context: CommandContext, options: UpOptions): Promise<void> {
  const module = await context.cluster();
  const cluster = await module.startCluster({
    dir: context.dir,
    port: options.port,
    store: options.ephemeral ? "memory" : "lmdb",
    logLevel: options.logLevel,
    nodeName: options.nodeName,
    runtimeEndpoint: options.runtimeEndpoint,
    kubeletConfig: options.kubeletConfig,
    version: context.version,
  });
  const record = {
    pid: process.pid,
    startTicks: startTicksOf(process.pid)!,
    port: cluster.port,
    url: cluster.url,
  };
  writeRunFile(context.dir, record);

  let stopping: Promise<void> | undefined;
  const stop = (how: { pods: PodsAtStop }) => {
    stopping ??= cluster.stop(how).finally(() => removeRunFile(context.dir));
    return stopping;
  };
  const closeControl = await serveControl(context.dir.controlSocket, cluster, async (how) => {
    await stop(how);
    // After the answer has left.
    setImmediate(() => process.exit(0));
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      // As a service manager expects: the control plane goes, containers run on; `peapod down` ends them.
      const isLast = signal === "SIGTERM" && isMachineStopping();
      void stop({ pods: isLast ? "shutDown" : "keep" })
        .then(closeControl)
        .finally(() => process.exit(0));
    });
  }
  await waitReady(cluster);
  writeRunFile(context.dir, { ...record, readyAt: new Date().toISOString() });
  mergeKubeconfig(context, options);
  context.print(`Ready: ${cluster.url}`);
  context.print(`export KUBECONFIG=${context.dir.kubeconfig}`);
  // Serves until it is told to stop; what must not fail and does, ends the process, and the next `up` goes on.
  await new Promise<never>(() => {});
}

async function waitReady(cluster: RunningCluster): Promise<void> {
  const signal = AbortSignal.timeout(readyMsMax);
  try {
    await cluster.ready(signal);
  } catch (cause) {
    if (!signal.aborted) throw cause;
    const { node } = await cluster.status();
    throw new UserError(`not ready after ${readyMsMax / 1000} s: ${node.message || "node not registered"}`, {
      remedy: "peapod doctor",
      cause,
    });
  }
}

async function upDetached(context: CommandContext, options: UpOptions): Promise<void> {
  const log = openSync(context.dir.log, "a", 0o600);
  const args = [
    ...process.execArgv,
    process.argv[1]!,
    "up",
    "--data-dir",
    context.dir.root,
    "--port",
    String(options.port),
    "--log-level",
    options.logLevel,
    "--node-name",
    options.nodeName,
    ...(options.ephemeral ? ["--ephemeral"] : []),
    ...(options.runtimeEndpoint === undefined ? [] : ["--runtime-endpoint", options.runtimeEndpoint]),
    // The child stands elsewhere.
    ...(options.kubeletConfig === undefined ? [] : ["--kubelet-config", resolve(options.kubeletConfig)]),
  ];
  const child = spawn(process.execPath, args, {
    detached: true,
    stdio: ["ignore", log, log],
    cwd: "/",
    // Threads of a pool allocate by turns: one arena holds a tenth less, and is as fast.
    env: { MALLOC_ARENA_MAX: "1", ...context.env },
  });
  child.unref();
  await context.task("Starting the cluster", () => childReady(context, child));
  const record = runningProcess(context.dir)!;
  mergeKubeconfig(context, options);
  context.print(`Ready: ${record.url}`);
  context.print(`export KUBECONFIG=${context.dir.kubeconfig}`);
}

/** The run file says when; the child's exit says that it never will. */
function childReady(context: CommandContext, child: ReturnType<typeof spawn>): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = () => {
      watcher.close();
      clearTimeout(limit);
      child.removeAllListeners();
    };
    const fail = (message: string) => {
      finish();
      reject(new UserError(`${message}\n${tailOf(context.dir.log)}`, { remedy: `see ${context.dir.log}` }));
    };
    const look = () => {
      if (runningProcess(context.dir)?.readyAt === undefined) return;
      finish();
      resolve();
    };
    const watcher = watch(context.dir.root, (_, name) => {
      if (name === null || name === basename(context.dir.run)) look();
    });
    const limit = setTimeout(() => fail(`not ready after ${readyMsMax / 1000} s`), readyMsMax);
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code, signal) =>
      fail(`the cluster's process ended (${signal ?? `exit code ${code}`})`),
    );
  });
}

function tailOf(path: string): string {
  try {
    return readFileSync(path, "utf8").trimEnd().split("\n").slice(-15).join("\n");
  } catch {
    return "";
  }
}

/** A port in use is said before anything is started. */
function requireFreePort(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === "EADDRINUSE"
          ? new UserError(`port ${port} is already in use`, {
              remedy: "choose another with --port, or 0 for any",
              cause,
            })
          : new UserError(`cannot listen on port ${port}: ${cause.message}`, { cause }),
      ),
    );
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve()));
  });
}

function mergeKubeconfig(context: CommandContext, options: UpOptions): void {
  if (options.kubeconfig === undefined) return;
  context.mergeKubeconfig(options.kubeconfig);
  context.print(`Written to ${options.kubeconfig}`);
}
