import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import type { ObservedContainer, ObservedSandbox, PodObservation } from "./observation.ts";
import { planPod } from "./plan-pod.ts";
import { specHash } from "./spec-hash.ts";
import type { Step } from "./step.ts";

const now = 1_000_000;

type Draft = Partial<corev1.PodSpec> & { deleting?: true };

function pod({ deleting, ...spec }: Draft): corev1.Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "p",
      namespace: "n",
      uid: "u",
      ...(deleting && { deletionTimestamp: "2026-01-01T00:00:00Z" }),
    },
    spec: { restartPolicy: "Always", terminationGracePeriodSeconds: 30, containers: [], ...spec },
  };
}

const container = (name: string, more: Partial<corev1.Container> = {}): corev1.Container => ({
  name,
  image: "i",
  ...more,
});
const sidecar = (name: string, more: Partial<corev1.Container> = {}) =>
  container(name, { restartPolicy: "Always", ...more });
const ready: ObservedSandbox = {
  id: "s0",
  attempt: 0,
  state: "ready",
  createdAtMs: 0,
  ips: ["10.0.0.2"],
  hostNetwork: false,
};

function attempt(
  name: string,
  state: ObservedContainer["state"],
  more: Partial<ObservedContainer> = {},
): ObservedContainer {
  return {
    id: `${name}-${more.attempt ?? 0}`,
    sandboxId: "s0",
    name,
    attempt: 0,
    state,
    createdAtMs: now - 60_000,
    imageName: "i",
    imageId: "i",
    imageRef: "i",
    specHash: specHash({ name, image: "i" }),
    backoffMs: 0,
    logPath: "",
    ...more,
  };
}

function observed(more: Partial<PodObservation> = {}): PodObservation {
  return {
    sandboxes: [ready],
    containers: [],
    volumes: "mounted",
    probes: new Map(),
    failures: new Map(),
    imagesAhead: new Set(),
    killedForRestart: new Set(),
    underway: new Set(),
    phase: "Pending",
    nextAttempts: new Map(),
    restartBackoffMsMax: 300_000,
    ...more,
  };
}

/** A step in a few words. */
function say(step: Step): string {
  switch (step.do) {
    case "start":
      return `start ${step.container}#${step.attempt}${step.backoffMs ? ` (${step.backoffMs / 1_000}s)` : ""}`;
    case "kill":
      return `kill ${step.container}${step.after.length > 0 ? ` after ${step.after.join(",")}` : ""} ${step.graceS}s`;
    case "wait":
      return `wait ${step.untilMs - now}${step.container ? ` ${step.container}` : ""}`;
    case "createSandbox":
      return `createSandbox#${step.attempt}`;
    case "stopSandbox":
    case "removeSandbox":
      return `${step.do} ${step.sandboxId}`;
    case "pullImage":
      return `pull ${step.container}`;
    case "removeContainer":
      return `remove ${step.containerId}`;
    default:
      return step.do;
  }
}

const exited = (name: string, exitCode: number, more: Partial<ObservedContainer> = {}) =>
  attempt(name, "exited", { exitCode, finishedAtMs: now - 1_000, ...more });
const dead: ObservedSandbox = { ...ready, state: "notReady" };
const both = { containers: [container("a"), container("b")] };
const probed = (more: object) => ({ exec: { command: ["x"] }, ...more });

const table: [string, corev1.Pod, PodObservation, string[]][] = [
  [
    "a new pod gets its sandbox, volumes and images at the same time",
    pod(both),
    observed({ sandboxes: [], volumes: "unmounted" }),
    ["createSandbox#0", "pull a", "pull b", "mountVolumes"],
  ],
  [
    "what is underway is not begun again",
    pod(both),
    observed({ sandboxes: [], underway: new Set(["sandbox", "image/a"]) }),
    ["pull b"],
  ],
  ["all main containers start at once", pod(both), observed(), ["start a#0", "start b#0"]],
  [
    "containers wait for volumes, and their images do not",
    pod(both),
    observed({ volumes: "unmounted" }),
    ["pull a", "pull b", "mountVolumes"],
  ],
  [
    "the first init container runs alone",
    pod({ initContainers: [container("i"), container("j")], ...both }),
    observed(),
    ["start i#0"],
  ],
  [
    "the next one follows when it has succeeded",
    pod({ initContainers: [container("i"), container("j")], ...both }),
    observed({ containers: [exited("i", 0)] }),
    ["start j#0"],
  ],
  [
    "then the main containers",
    pod({ initContainers: [container("i")], containers: [container("a")] }),
    observed({ containers: [exited("i", 0)] }),
    ["start a#0"],
  ],
  [
    "an init container that fails for good ends the pod's sidecars",
    pod({
      restartPolicy: "Never",
      initContainers: [sidecar("s"), container("i")],
      containers: [container("a")],
    }),
    observed({ containers: [exited("i", 1), attempt("s", "running")] }),
    ["kill s after a 30s"],
  ],
  [
    "a sidecar lets the next begin once its startup probe has succeeded",
    pod({
      initContainers: [sidecar("s", { startupProbe: probed({}) }), container("i")],
      containers: [container("a")],
    }),
    observed({ containers: [attempt("s", "running")] }),
    [],
  ],
  [
    "and then does",
    pod({
      initContainers: [sidecar("s", { startupProbe: probed({}) }), container("i")],
      containers: [container("a")],
    }),
    observed({ containers: [attempt("s", "running")], probes: new Map([["s-0", { startup: "success" }]]) }),
    ["start i#0"],
  ],
  [
    "a sidecar restarts while init goes on",
    pod({ initContainers: [sidecar("s"), container("i")], containers: [container("a")] }),
    observed({ containers: [attempt("i", "running"), exited("s", 1)] }),
    ["start s#1 (10s)"],
  ],
  [
    "the first restart is immediate",
    pod({ containers: [container("a")] }),
    observed({ containers: [exited("a", 1)] }),
    ["start a#1 (10s)"],
  ],
  [
    "the second waits ten seconds from the end",
    pod({ containers: [container("a")] }),
    observed({ containers: [exited("a", 1, { attempt: 1, backoffMs: 10_000 })] }),
    ["wait 9000 a"],
  ],
  [
    "the third twice as long",
    pod({ containers: [container("a")] }),
    observed({ containers: [exited("a", 1, { attempt: 1, backoffMs: 10_000, finishedAtMs: now - 10_000 })] }),
    ["start a#2 (20s)"],
  ],
  [
    "and never more than five minutes",
    pod({ containers: [container("a")] }),
    observed({
      containers: [exited("a", 1, { attempt: 9, backoffMs: 300_000, finishedAtMs: now - 300_000 })],
    }),
    ["start a#10 (300s)"],
  ],
  [
    "what ended with an earlier sandbox starts at once, as after a reboot",
    pod({ containers: [container("a")] }),
    observed({ containers: [exited("a", 137, { attempt: 1, backoffMs: 10_000, sandboxId: "before" })] }),
    ["start a#2 (10s)"],
  ],
  [
    "a container whose image was changed is not held back",
    pod({ containers: [container("a", { image: "new" })] }),
    observed({ containers: [exited("a", 1, { attempt: 1, backoffMs: 10_000 })] }),
    ["start a#2 (10s)"],
  ],
  [
    "after a kill for its liveness probe the back-off counts from the attempt before",
    pod({ containers: [container("a")] }),
    observed({
      containers: [exited("a", 137, { attempt: 1, backoffMs: 10_000, previousFinishedAtMs: now - 60_000 })],
      killedForRestart: new Set(["a-1"]),
    }),
    ["start a#2 (20s)"],
  ],
  [
    "a failed liveness probe kills, with the probe's own grace period",
    pod({
      containers: [
        container("a", { livenessProbe: probed({ terminationGracePeriodSeconds: 3 }) }),
        container("b"),
      ],
    }),
    observed({
      containers: [attempt("a", "running"), attempt("b", "running")],
      probes: new Map([["a-0", { liveness: "failure" }]]),
    }),
    ["kill a 3s"],
  ],
  [
    "what succeeded under OnFailure is not started again",
    pod({ restartPolicy: "OnFailure", ...both }),
    observed({ containers: [exited("a", 0), exited("b", 1)] }),
    ["start b#1 (10s)"],
  ],
  [
    "once the main containers are done the sidecars go, the last one first",
    pod({
      restartPolicy: "Never",
      initContainers: [sidecar("s"), sidecar("t")],
      containers: [container("a")],
    }),
    observed({ containers: [exited("a", 0), attempt("s", "running"), attempt("t", "running")] }),
    ["kill s after a,t 30s", "kill t after a 30s"],
  ],
  [
    "a dead sandbox is made again, once what ran in it has ended",
    pod({ containers: [container("a")] }),
    observed({ sandboxes: [dead], containers: [exited("a", 137)] }),
    ["createSandbox#1", "pull a"],
  ],
  [
    "a dead sandbox of a pod that is never to restart is left",
    pod({ restartPolicy: "Never", containers: [container("a")] }),
    observed({ sandboxes: [dead], containers: [exited("a", 137)] }),
    [],
  ],
  [
    "init containers of a dead sandbox are forgotten, so that they run again",
    pod({ initContainers: [container("i")], containers: [container("a")] }),
    observed({ sandboxes: [dead], containers: [exited("a", 137), exited("i", 0)] }),
    ["remove i-0"],
  ],
  [
    "of each container the newest and the last ended attempt are kept",
    pod({ containers: [container("a")] }),
    observed({
      containers: [
        attempt("a", "running", { attempt: 3 }),
        exited("a", 1, { attempt: 2 }),
        exited("a", 1, { attempt: 1 }),
      ],
    }),
    ["remove a-1"],
  ],
  [
    "a deleted pod's containers are killed, sidecars last",
    pod({ deleting: true, initContainers: [sidecar("s")], containers: [container("a")] }),
    observed({ containers: [attempt("a", "running"), attempt("s", "running")] }),
    ["kill a 30s", "kill s after a 30s"],
  ],
  [
    "then its sandbox is stopped",
    pod({ deleting: true, containers: [container("a")] }),
    observed({ containers: [exited("a", 0)] }),
    ["stopSandbox s0"],
  ],
  [
    "then its volumes go",
    pod({ deleting: true, containers: [container("a")] }),
    observed({ sandboxes: [dead] }),
    ["unmountVolumes"],
  ],
  [
    "which is tried again after a while when it failed",
    pod({ deleting: true, containers: [container("a")] }),
    observed({ sandboxes: [dead], unmountRetryAtMs: now + 500 }),
    ["wait 500"],
  ],
  [
    "and then the rest",
    pod({ deleting: true, containers: [container("a")] }),
    observed({ sandboxes: [dead], volumes: "unmounted" }),
    ["finish"],
  ],
  [
    "a pod that has ended keeps its object",
    pod({ containers: [container("a")] }),
    observed({ sandboxes: [dead], volumes: "unmounted", phase: "Succeeded" }),
    [],
  ],
  [
    "a pod past its deadline fails",
    pod({ activeDeadlineSeconds: 10, containers: [container("a")] }),
    observed({ containers: [attempt("a", "running")], startTimeMs: now - 10_000 }),
    ["fail"],
  ],
  [
    "before it, it is looked at again then",
    pod({ activeDeadlineSeconds: 10, containers: [container("a")] }),
    observed({ containers: [attempt("a", "running")], startTimeMs: now - 4_000 }),
    ["wait 6000"],
  ],
  [
    "an ephemeral container starts beside what runs",
    pod({ containers: [container("a")], ephemeralContainers: [container("e")] }),
    observed({ containers: [attempt("a", "running")] }),
    ["start e#0"],
  ],
  [
    "an ephemeral container does not wait for the init containers",
    pod({ ...both, initContainers: [container("i")], ephemeralContainers: [container("e")] }),
    observed({ containers: [attempt("i", "running")] }),
    ["start e#0"],
  ],
  [
    "an ephemeral container never restarts, whatever the pod's policy and its exit code",
    pod({ containers: [container("a")], ephemeralContainers: [container("e")] }),
    observed({ containers: [attempt("a", "running"), exited("e", 1)] }),
    [],
  ],
  [
    "an ephemeral container that the engine has forgotten does not run again",
    pod({ containers: [container("a")], ephemeralContainers: [container("e")] }),
    observed({ containers: [attempt("a", "running")], nextAttempts: new Map([["e", 1]]) }),
    [],
  ],
  [
    "an ephemeral container whose image could not be had is tried again later",
    pod({ containers: [container("a")], ephemeralContainers: [container("e")] }),
    observed({
      containers: [attempt("a", "running")],
      failures: new Map([["e", { reason: "ErrImagePull", message: "", retryAtMs: now + 5_000 }]]),
    }),
    ["wait 5000 e"],
  ],
  [
    "an ephemeral container does not hold up the end of its pod",
    pod({
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 5,
      containers: [container("a")],
      ephemeralContainers: [container("e"), container("late")],
    }),
    observed({ containers: [exited("a", 0), attempt("e", "running")] }),
    ["kill e 5s"],
  ],
  [
    "a deleted pod's ephemeral containers end with it",
    pod({ deleting: true, containers: [container("a")], ephemeralContainers: [container("e")] }),
    observed({ containers: [attempt("a", "running"), attempt("e", "running")] }),
    ["kill a 30s", "kill e 30s"],
  ],
];

for (const [name, given, seen, expected] of table) {
  test(name, () => assert.deepEqual(planPod(given, seen, now).map(say), expected));
}
