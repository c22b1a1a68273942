import { existsSync } from "node:fs";
import { startTicksOf } from "../../base/index.ts";
import type { CommandContext } from "../context.ts";
import { ask } from "../control/client.ts";
import { UserError } from "../errors.ts";
import { requireRoot } from "../host/checks.ts";
import { removeRunFile, runningProcess } from "../run-file.ts";

/** A pod's grace period is ignored by `down`: what still runs after the stop signal and this long is killed. */
const stopMsMax = 30_000;

export async function down(context: CommandContext, options: { purge?: boolean }): Promise<void> {
  requireRoot();
  const { dir } = context;
  const record = runningProcess(dir);
  if (!record && !existsSync(dir.root)) {
    context.print(`Nothing at ${dir.root}`);
    return;
  }
  if (record) {
    await context.task("Stopping the cluster and its pods", async () => {
      await ask(dir.controlSocket, { do: "stop", pods: "stop" }).catch(() =>
        process.kill(record.pid, "SIGKILL"),
      );
      await ended(record.pid, record.startTicks);
    });
  }
  removeRunFile(dir);
  const module = await context.cluster();
  if (options.purge) await context.task(`Removing ${dir.root}`, () => module.purge(dir));
  else if (!record) await module.stopPods(dir);
  context.print(options.purge ? "Gone." : "Stopped.");
}

async function ended(pid: number, startTicks: string): Promise<void> {
  const limitMs = performance.now() + stopMsMax;
  while (startTicksOf(pid) === startTicks) {
    if (performance.now() > limitMs) {
      process.kill(pid, "SIGKILL");
      throw new UserError(`process ${pid} did not end in ${stopMsMax / 1000} s and was killed`, {
        remedy: "run the same command again to end its pods",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
