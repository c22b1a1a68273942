import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { terminated } from "./terminated.ts";

type Status = corev1.ContainerStatus;
const status = (name: string, state: corev1.ContainerState, more: Partial<Status> = {}): Status => ({
  ...{ name, image: "i", imageID: "", restartCount: 0, ready: false, state },
  ...more,
});
const waiting = { waiting: { reason: "PodInitializing" } };
const done = { terminated: { exitCode: 0, reason: "Completed" } };
const failed = { terminated: { exitCode: 1, reason: "Error" } };
const running = { running: { startedAt: "2026-01-01T00:00:00Z" } };
const container = (name: string): corev1.Container => ({ name, image: "i" });
const sidecar = (name: string): corev1.Container => ({ ...container(name), restartPolicy: "Always" });

const say = ({ name, state }: Status) =>
  state?.terminated ? `${name}:${state.terminated.reason}` : `${name}:${Object.keys(state ?? {})[0]}`;

const table: readonly [string, corev1.Container[], Status[], Status[], string[]][] = [
  ["a pod that never ran", [], [], [status("a", waiting)], ["a:ContainerStatusUnknown"]],
  ["a pod that ran", [], [], [status("a", failed), status("b", done)], ["a:Error", "b:Completed"]],
  [
    "a pod whose first init container never ran",
    [container("i"), container("j")],
    [status("i", waiting), status("j", waiting)],
    [status("a", waiting)],
    ["i:ContainerStatusUnknown", "j:waiting", "a:waiting"],
  ],
  [
    "a pod whose second init container was being started",
    [container("i"), container("j"), container("k")],
    [status("i", done), status("j", running), status("k", waiting)],
    [status("a", waiting)],
    ["i:Completed", "j:ContainerStatusUnknown", "k:waiting", "a:waiting"],
  ],
  [
    "a pod that had initialized",
    [container("i")],
    [status("i", done)],
    [status("a", waiting)],
    ["i:Completed", "a:ContainerStatusUnknown"],
  ],
  [
    "a pod whose last sidecar had not started",
    [sidecar("s")],
    [status("s", running, { started: false })],
    [status("a", waiting)],
    ["s:ContainerStatusUnknown", "a:waiting"],
  ],
];
for (const [what, initContainers, inits, mains, expected] of table) {
  test(`at its end, the containers of ${what}`, () => {
    const last = terminated({ initContainers, containers: [container("a")] }, inits, mains);
    assert.deepEqual([...last.inits, ...last.mains].map(say), expected);
  });
}
