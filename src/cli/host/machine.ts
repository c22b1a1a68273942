import { spawnSync } from "node:child_process";

/** An init system that does not answer is not what we wait for. */
const answerMsMax = 2_000;

/** Whether the machine is being shut down, as its init system says. Without systemd nobody tells, and the answer is no. */
export function isMachineStopping(): boolean {
  const { stdout } = spawnSync("systemctl", ["is-system-running"], {
    timeout: answerMsMax,
    encoding: "utf8",
  });
  return stdout?.trim() === "stopping";
}
