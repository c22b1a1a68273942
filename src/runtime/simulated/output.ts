import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { ContainerStatus } from "../contract.ts";

/** Appends lines to a container's log, in CRI's format. */
export function appendLog(
  { logPath }: ContainerStatus,
  output: string,
  stream: "stdout" | "stderr",
  nowMs: number,
): void {
  if (output === "") return;
  mkdirSync(dirname(logPath), { recursive: true });
  const at = new Date(nowMs).toISOString().replace("Z", "000000Z");
  const lines = output.replace(/\n$/, "").split("\n");
  appendFileSync(logPath, lines.map((line) => `${at} ${stream} F ${line}\n`).join(""));
}

/** What a container wrote to its termination message's file. */
export function writeMessage({ annotations, mounts }: ContainerStatus, message: string): void {
  const path = annotations["io.kubernetes.container.terminationMessagePath"];
  const mount = mounts.find(({ containerPath }) => containerPath === path);
  if (mount) writeFileSync(mount.hostPath, message);
}
