import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../../index.ts";
import { decodedPod } from "../../../kind.suite.ts";
import { podColumns } from "./columns.ts";

const nowMs = Date.UTC(2026, 0, 1, 12);
const ago = (seconds: number) => new Date(nowMs - seconds * 1_000).toISOString();

type ContainerStatus = Partial<corev1.ContainerStatus>;
const running = { state: { running: { startedAt: ago(60) } }, ready: true, started: true };
const waiting = (reason: string): ContainerStatus => ({ state: { waiting: { reason } } });
const ended = (exitCode: number, rest: object = {}): ContainerStatus => ({
  state: { terminated: { exitCode, ...rest } },
});
const completed = ended(0, { reason: "Completed" });
const restarted = (restartCount: number, seconds: number): ContainerStatus => ({
  restartCount,
  lastState: { terminated: { exitCode: 1, finishedAt: ago(seconds) } },
});
const ready: corev1.PodCondition[] = [{ type: "Ready", status: "True" }];
const initialized: corev1.PodCondition[] = [{ type: "Initialized", status: "True" }];

interface Scene {
  containers: ContainerStatus[];
  init?: (ContainerStatus & { sidecar?: boolean })[];
  status?: corev1.PodStatus;
  deleted?: boolean;
}

function podOf({ containers, init = [], status, deleted }: Scene): corev1.Pod {
  const pod = decodedPod(
    {
      containers: containers.map((_, i) => ({ name: `c${i}`, image: "i" })),
      initContainers: init.map(({ sidecar }, i) => ({
        name: `i${i}`,
        image: "i",
        ...(sidecar && { restartPolicy: "Always" }),
      })),
    },
    { creationTimestamp: ago(120), ...(deleted && { deletionTimestamp: ago(1) }) },
  );
  const named = (prefix: string) => (each: ContainerStatus, i: number) =>
    ({ name: `${prefix}${i}`, ready: false, restartCount: 0, ...each }) as corev1.ContainerStatus;
  pod.status = {
    phase: "Running",
    containerStatuses: containers.map(named("c")),
    initContainerStatuses: init.map(named("i")),
    ...status,
  };
  return pod;
}

const cell = (name: string, pod: corev1.Pod) =>
  podColumns.find((column) => column.name === name)!.value(pod, nowMs);

const scenes: [what: string, scene: Scene, ready: string, status: string, restarts: string][] = [
  ["runs", { containers: [running, running] }, "2/2", "Running", "0"],
  ["is pending", { containers: [{}], status: { phase: "Pending" } }, "0/1", "Pending", "0"],
  ["is evicted", { containers: [{}], status: { phase: "Failed", reason: "Evicted" } }, "0/1", "Evicted", "0"],
  [
    "is gated",
    {
      containers: [{}],
      status: {
        phase: "Pending",
        conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }],
      },
    },
    "0/1",
    "SchedulingGated",
    "0",
  ],
  ["pulls in vain", { containers: [running, waiting("ImagePullBackOff")] }, "1/2", "ImagePullBackOff", "0"],
  [
    "crashes",
    { containers: [{ ...waiting("CrashLoopBackOff"), ...restarted(3, 5) }] },
    "0/1",
    "CrashLoopBackOff",
    "3 (5s ago)",
  ],
  [
    "has one that was restarted at an unknown time",
    { containers: [{ ...running, restartCount: 2 }] },
    "1/1",
    "Running",
    "2",
  ],
  [
    "counts all restarts, and tells of the last",
    {
      containers: [
        { ...running, ...restarted(3, 200) },
        { ...running, ...restarted(4, 130) },
      ],
    },
    "2/2",
    "Running",
    "7 (2m10s ago)",
  ],
  ["is done", { containers: [completed], status: { phase: "Succeeded" } }, "0/1", "Completed", "0"],
  [
    "has failed",
    { containers: [ended(1, { reason: "Error" })], status: { phase: "Failed" } },
    "0/1",
    "Error",
    "0",
  ],
  ["was killed", { containers: [ended(137, { signal: 9 })] }, "0/1", "Signal:9", "0"],
  ["ended for no reason", { containers: [ended(3)] }, "0/1", "ExitCode:3", "0"],
  [
    "has one that is done beside one that is ready",
    { containers: [completed, running], status: { conditions: ready } },
    "1/2",
    "Running",
    "0",
  ],
  ["has one that is done beside one that runs", { containers: [completed, running] }, "1/2", "NotReady", "0"],
  [
    "has one that is done beside one that failed",
    { containers: [completed, ended(2, { reason: "Error" })] },
    "0/2",
    "Error",
    "0",
  ],
  [
    "initializes",
    {
      containers: [waiting("PodInitializing")],
      init: [completed, waiting("PodInitializing")],
      status: { phase: "Pending" },
    },
    "0/1",
    "Init:1/2",
    "0",
  ],
  [
    "initializes in vain",
    {
      containers: [waiting("PodInitializing")],
      init: [{ ...waiting("CrashLoopBackOff"), ...restarted(2, 7) }],
      status: { phase: "Pending" },
    },
    "0/1",
    "Init:CrashLoopBackOff",
    "2 (7s ago)",
  ],
  [
    "could not be initialized",
    {
      containers: [waiting("PodInitializing")],
      init: [ended(1, { reason: "Error" })],
      status: { phase: "Failed" },
    },
    "0/1",
    "Init:Error",
    "0",
  ],
  [
    "could not be initialized, for no reason",
    { containers: [{}], init: [ended(4), {}] },
    "0/1",
    "Init:ExitCode:4",
    "0",
  ],
  [
    "has a sidecar",
    {
      containers: [running],
      init: [{ sidecar: true, ...running, ...restarted(1, 9) }],
      status: { conditions: initialized },
    },
    "2/2",
    "Running",
    "1 (9s ago)",
  ],
  [
    "waits for a sidecar to start",
    {
      containers: [waiting("PodInitializing")],
      init: [{ sidecar: true, state: running.state }],
      status: { phase: "Pending" },
    },
    "0/2",
    "Init:0/1",
    "0",
  ],
  ["is deleted", { containers: [running], deleted: true }, "1/1", "Terminating", "0"],
  [
    "is deleted when done",
    { containers: [completed], status: { phase: "Succeeded" }, deleted: true },
    "0/1",
    "Completed",
    "0",
  ],
  [
    "is deleted on a lost node",
    { containers: [running], status: { reason: "NodeLost" }, deleted: true },
    "1/1",
    "Unknown",
    "0",
  ],
];

for (const [what, scene, readyCell, status, restarts] of scenes) {
  test(`a pod that ${what} shows ${readyCell} ${status} ${restarts}`, () => {
    const pod = podOf(scene);
    assert.deepEqual(
      [cell("Ready", pod), cell("Status", pod), cell("Restarts", pod), cell("Age", pod)],
      [readyCell, status, restarts, "2m"],
    );
  });
}

test("with -o wide, a pod shows where it is", () => {
  const pod = podOf({ containers: [running], status: { podIPs: [{ ip: "10.0.0.7" }] } });
  pod.spec!.nodeName = "worker";
  pod.spec!.readinessGates = [{ conditionType: "a/b" }, { conditionType: "Ready" }];
  pod.status!.conditions = ready;
  const wide = podColumns.filter((column) => column.priority === 1).map((column) => column.value(pod, nowMs));
  assert.deepEqual(wide, ["10.0.0.7", "worker", "<none>", "1/2"]);
});
