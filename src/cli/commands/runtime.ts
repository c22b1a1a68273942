import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { startTicksOf } from "../../base/index.ts";
import type { ClusterOptions } from "../cluster.ts";
import type { CommandContext } from "../context.ts";
import { UserError } from "../errors.ts";
import { requireAbleHost } from "../host/checks.ts";
import { removeRunFile, runningProcess, writeRunFile } from "../run-file.ts";

export interface RuntimeOptions {
  socket?: string;
  logLevel: ClusterOptions["logLevel"];
}

/** Serves the engine of a data directory that no cluster has, until it is told to stop; containers run on. */
export async function runtime(context: CommandContext, options: RuntimeOptions): Promise<void> {
  requireAbleHost(context);
  const { dir } = context;
  const running = runningProcess(dir);
  if (running) {
    throw new UserError(`process ${running.pid} runs on ${dir.root} already (${running.url})`, {
      remedy: "peapod down, or choose another --data-dir",
    });
  }
  mkdirSync(dir.root, { recursive: true, mode: 0o700 });
  const module = await context.cluster();
  const socketPath = options.socket === undefined ? join(dir.root, "cri.sock") : resolve(options.socket);
  const server = await module.serveRuntime(dir, { socketPath, logLevel: options.logLevel });
  writeRunFile(dir, {
    pid: process.pid,
    startTicks: startTicksOf(process.pid)!,
    port: 0,
    url: server.endpoint,
    readyAt: new Date().toISOString(),
  });
  const stop = () =>
    void server.close().finally(() => {
      removeRunFile(dir);
      process.exit(0);
    });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  context.print(`Serving ${server.endpoint}`);
  context.print(`crictl --runtime-endpoint ${server.endpoint} ps`);
  await new Promise<never>(() => {});
}
