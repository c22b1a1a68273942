import type { PodSandboxStatus, RuntimeStreams } from "../../contract.ts";
import type { Message } from "../wire/index.ts";
import { cgroupAnnotation } from "./pods.ts";

/** On sandboxes and containers: whose they are; it never shows in a status. */
export const ownerLabel = "peapod.io/owner";

/** A status without what only this client is to see. */
export function withoutOwner<T extends Pick<PodSandboxStatus, "labels" | "annotations">>(status: T): T {
  const { [ownerLabel]: _, ...labels } = status.labels;
  const { [cgroupAnnotation]: __, ...annotations } = status.annotations;
  return { ...status, labels, annotations };
}

export function wantedStreams({ stdin, stdout, stderr }: RuntimeStreams, tty: boolean) {
  return { stdin: stdin !== undefined, stdout: stdout !== undefined, stderr: stderr !== undefined && !tty };
}

const entryStates = {
  CONTAINER_CREATED: "created",
  CONTAINER_RUNNING: "running",
  CONTAINER_EXITED: "exited",
  CONTAINER_UNKNOWN: "unknown",
} as const;

export function phaseEntry({ id, podSandboxId: sandboxId, state }: Message<"Container">) {
  return { id, sandboxId, state: entryStates[state] };
}
