import type { ClusterStatus } from "../cluster.ts";
import type { CommandContext } from "../context.ts";
import { ask } from "../control/client.ts";
import { exitCodes, UserError } from "../errors.ts";
import { styled, table } from "../output.ts";
import { runningProcess } from "../run-file.ts";

export async function status(context: CommandContext, options: { output?: string }): Promise<void> {
  const record = runningProcess(context.dir);
  if (!record) {
    throw new UserError(`no cluster runs on ${context.dir.root}`, {
      exitCode: exitCodes.notRunning,
      remedy: "peapod up --detach",
    });
  }
  const state = await ask<ClusterStatus>(context.dir.controlSocket, { do: "status" });
  if (options.output === "json") {
    context.print(
      JSON.stringify({ ...state, pid: record.pid, url: record.url, dataDir: context.dir.root }, null, 2),
    );
    return;
  }
  const pods = Object.entries(state.pods).map(([phase, count]) => `${count} ${phase}`);
  const mark = state.node.ready
    ? styled(context.terminal, "green", "Ready")
    : styled(context.terminal, "red", "NotReady");
  context.print(
    table([
      ["API server", record.url],
      ["Version", state.version],
      ["Node", `${state.node.name} ${mark}${state.node.ready ? "" : ` (${state.node.message})`}`],
      ["Pods", pods.length ? pods.join(", ") : "none"],
      ["Pod range", state.podCidr],
      ["Process", String(record.pid)],
      ["Data", context.dir.root],
      ["Kubeconfig", context.dir.kubeconfig],
    ]),
  );
}
