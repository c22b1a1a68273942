import type { corev1 } from "../../api/index.ts";
import { RuntimeError } from "../../runtime/index.ts";

/** Why a container could not be started: the reason and message of its waiting state. */
export class StartError extends Error {
  override name = "StartError";
  readonly reason: StartErrorReason;
  /** When trying again makes sense; undefined: the worker's own rhythm. */
  readonly retryAfterMs: number | undefined;
  constructor(reason: StartErrorReason, message: string, retryAfterMs?: number) {
    super(message);
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

export type StartErrorReason =
  | "InvalidImageName"
  | "ImageInspectError"
  | "ErrImagePull"
  | "ImagePullBackOff"
  | "ErrImageNeverPull"
  | "RegistryUnavailable"
  | "CreateContainerConfigError"
  | "CreateContainerError"
  | "RunContainerError"
  | "PostStartHookError";

/** Runs `task`; what it throws becomes the reason, unless it is one already. */
export async function failingAs<T>(reason: StartErrorReason, task: () => Promise<T> | T): Promise<T> {
  try {
    return await task();
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(reason, messageOf(error));
  }
}

export const messageOf = (error: unknown): string =>
  error instanceof RuntimeError || error instanceof Error ? error.message : String(error);

/** A container reference in an event: `spec.containers{name}`. */
export function fieldPathOf(pod: corev1.Pod, name: string): string {
  const { initContainers = [], ephemeralContainers = [] } = pod.spec!;
  const list = initContainers.some((container) => container.name === name)
    ? "initContainers"
    : ephemeralContainers.some((container) => container.name === name)
      ? "ephemeralContainers"
      : "containers";
  return `spec.${list}{${name}}`;
}
