import type { corev1 } from "../../api/index.ts";
import type { KubeObject } from "../../machinery/index.ts";

/**
 * Tells what happened to an object, as an Event that `kubectl describe` shows.
 *
 * - Never waits and never fails; past its bounds, events are dropped.
 * - The same event again raises a count instead of making another one.
 */
export interface EventRecorder {
  /** `about`: an object, or a reference to one (with a `fieldPath` for a container). `action`: what was being done. */
  event(
    about: KubeObject | EventTarget,
    type: "Normal" | "Warning",
    reason: string,
    message: string,
    action?: string,
    /** When it happened, in ms; now if not given. */
    atMs?: number,
  ): void;
  /** An event with something for programs to read. */
  annotatedEvent(
    about: KubeObject | EventTarget,
    annotations: Readonly<Record<string, string>>,
    type: "Normal" | "Warning",
    reason: string,
    message: string,
  ): void;
  /** Resolves when all events so far have been written or given up. */
  flush(): Promise<void>;
}

/** What an event is about. */
export interface EventTarget extends corev1.ObjectReference {
  apiVersion: string;
  kind: string;
  name: string;
}
