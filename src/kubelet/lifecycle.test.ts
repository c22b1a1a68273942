import assert from "node:assert/strict";
import { test } from "node:test";
import { RuntimeError } from "../runtime/index.ts";
import { condition, isReady, remove, statusOf, steppedNode, waitingReason } from "./testing/stepped-node.ts";

test("a crashing container restarts at once, then waits 10 s, 20 s, and shows CrashLoopBackOff", async () => {
  await using node = await steppedNode();
  node.bind({ name: "p", containers: [{ name: "c", image: "i" }] });
  await node.until("p", isReady);
  node.runtime.exit(node.runtime.find("c")!.id, 1);
  await node.until("p", (pod) => statusOf(pod, "c")?.restartCount === 1 && isReady(pod));

  node.runtime.exit(node.runtime.find("c")!.id, 2);
  const waiting = await node.until("p", (pod) => waitingReason(pod, "c") === "CrashLoopBackOff");
  const { uid } = waiting.metadata;
  assert.equal(
    statusOf(waiting, "c")!.state!.waiting!.message,
    `back-off 10s restarting failed container=c pod=p_default(${uid}); next try at 2026-01-01T00:00:10Z`,
  );
  assert.equal(statusOf(waiting, "c")!.lastState!.terminated!.exitCode, 2);
  assert.equal(statusOf(waiting, "c")!.lastState!.terminated!.reason, "Error");
  assert.equal(waiting.status!.phase, "Running");
  assert.equal(condition(waiting, "Ready")!.reason, "ContainersNotReady");
  assert.equal(condition(waiting, "Ready")!.message, "containers with unready status: [c]");
  await node.clock.step(9_000);
  assert.equal(waitingReason(node.pod("p")!, "c"), "CrashLoopBackOff");
  await node.clock.step(1_500);
  await node.until("p", (pod) => statusOf(pod, "c")?.restartCount === 2 && isReady(pod));

  node.runtime.exit(node.runtime.find("c")!.id, 2);
  const longer = await node.until("p", (pod) => waitingReason(pod, "c") === "CrashLoopBackOff");
  assert.match(statusOf(longer, "c")!.state!.waiting!.message!, /^back-off 20s /);
  await node.clock.step(20_500);
  await node.until("p", (pod) => statusOf(pod, "c")?.restartCount === 3 && isReady(pod));
  assert.equal(
    (await node.runtime.listContainers()).length,
    2,
    "the last ended attempt is kept, older ones are not",
  );
});

test("ten minutes of running end the back-off", async () => {
  await using node = await steppedNode();
  node.bind({ name: "p", containers: [{ name: "c", image: "i" }] });
  await node.until("p", isReady);
  node.runtime.exit(node.runtime.find("c")!.id, 1);
  await node.until("p", (pod) => statusOf(pod, "c")?.restartCount === 1 && isReady(pod));
  await node.clock.step(601_000);
  node.runtime.exit(node.runtime.find("c")!.id, 1);
  await node.until("p", (pod) => statusOf(pod, "c")?.restartCount === 2 && isReady(pod));
});

test("init containers run one after the other, and hold back the rest", async () => {
  await using node = await steppedNode();
  node.runtime.behaviours = ({ metadata }) =>
    metadata.name === "second"
      ? { exitAfterMs: 5_000 }
      : metadata.name === "first"
        ? { exitAfterMs: 1_000 }
        : {};
  node.bind({
    name: "p",
    initContainers: [
      { name: "first", image: "i" },
      { name: "second", image: "i" },
    ],
    containers: [{ name: "main", image: "i" }],
  });
  const first = await node.until("p", (pod) => statusOf(pod, "first")?.state?.running !== undefined);
  assert.equal(waitingReason(first, "second"), "PodInitializing");
  assert.equal(waitingReason(first, "main"), "PodInitializing");
  assert.equal(first.status!.phase, "Pending");
  assert.equal(condition(first, "Initialized")!.status, "False");
  assert.equal(condition(first, "Initialized")!.message, "containers with incomplete status: [first second]");
  await node.clock.step(1_000);
  const second = await node.until("p", (pod) => statusOf(pod, "second")?.state?.running !== undefined);
  assert.equal(statusOf(second, "first")!.state!.terminated!.reason, "Completed");
  assert.equal(statusOf(second, "first")!.ready, true);
  assert.equal(node.runtime.find("main"), undefined);
  await node.clock.step(5_000);
  const ready = await node.until("p", isReady);
  assert.equal(condition(ready, "Initialized")!.status, "True");
});

test("a failing init container is retried, unless the pod is never to restart", async () => {
  await using node = await steppedNode();
  node.runtime.behaviours = ({ metadata }) =>
    metadata.name === "init" && metadata.attempt < 1
      ? { exitAfterMs: 100, exitCode: 1 }
      : metadata.name === "init"
        ? { exitAfterMs: 100 }
        : {};
  const spec = { initContainers: [{ name: "init", image: "i" }], containers: [{ name: "main", image: "i" }] };
  node.bind({ name: "retried", ...spec });
  await node.until("retried", (pod) => statusOf(pod, "init")?.state?.running !== undefined);
  await node.clock.step(150);
  await node.until("retried", (pod) => statusOf(pod, "init")?.restartCount === 1);
  await node.clock.step(150);
  await node.until("retried", isReady);

  node.bind({ name: "failed", restartPolicy: "Never", ...spec });
  await node.until("failed", (pod) => statusOf(pod, "init")?.state?.running !== undefined);
  await node.clock.step(150);
  const failed = await node.until("failed", ({ status }) => status?.phase === "Failed");
  assert.equal(waitingReason(failed, "main"), "PodInitializing");
  assert.equal(node.runtime.find("main", "failed"), undefined);
});

for (const [restartPolicy, exitCode, phase] of [
  ["Never", 0, "Succeeded"],
  ["Never", 3, "Failed"],
  ["OnFailure", 0, "Succeeded"],
] as const) {
  test(`a pod with restartPolicy ${restartPolicy} whose container ends with ${exitCode} has ${phase}`, async () => {
    await using node = await steppedNode();
    node.runtime.behaviours = () => ({ exitAfterMs: 1_000, exitCode, terminationMessage: "that was it" });
    node.bind({ name: "p", restartPolicy, containers: [{ name: "c", image: "i" }] });
    await node.until("p", ({ status }) => status?.phase === "Running");
    await node.clock.step(1_000);
    const pod = await node.until("p", ({ status }) => status?.phase === phase);
    assert.equal(statusOf(pod, "c")!.state!.terminated!.exitCode, exitCode);
    assert.equal(statusOf(pod, "c")!.state!.terminated!.message, "that was it");
    assert.equal(condition(pod, "Ready")!.reason, exitCode === 0 ? "PodCompleted" : "PodFailed");
    await node.eventually("its sandbox has been stopped", async () =>
      (await node.runtime.listPodSandboxes())[0]?.state === "notReady" ? true : undefined,
    );
    assert.ok(node.pod("p"), "its object stays");
  });
}

test("a sidecar runs beside its pod's main container, does not hold up its end, and ends after it", async () => {
  await using node = await steppedNode();
  node.runtime.behaviours = ({ metadata }) =>
    metadata.name === "main" ? { exitAfterMs: 10_000 } : { stopAfterMs: 1_000 };
  node.bind({
    name: "p",
    restartPolicy: "Never",
    initContainers: [
      { name: "one", image: "i", restartPolicy: "Always" },
      { name: "two", image: "i", restartPolicy: "Always" },
    ],
    containers: [{ name: "main", image: "i" }],
  });
  const ready = await node.until("p", isReady);
  assert.equal(statusOf(ready, "one")!.ready, true);
  node.runtime.exit(node.runtime.find("one")!.id, 1);
  await node.until("p", (pod) => statusOf(pod, "one")?.restartCount === 1 && isReady(pod));
  await node.clock.step(10_000);
  await node.eventually("the last sidecar is being stopped", () =>
    node.seen.some(({ message }) => message === "Stopping container two") ? true : undefined,
  );
  assert.equal(node.runtime.find("one")!.state, "running");
  await node.eventually("the pod has ended", async () => {
    await node.clock.step(100);
    return node.pod("p")!.status!.phase === "Succeeded" ? true : undefined;
  });
  const done = node.pod("p")!;
  const ends = ["one", "two"].map((name) => Date.parse(statusOf(done, name)!.state!.terminated!.finishedAt!));
  assert.ok(ends[0]! > ends[1]!, "in reverse order");
});

test("a pull that fails shows ErrImagePull, then ImagePullBackOff, and is tried again", async () => {
  await using node = await steppedNode();
  const error = new RuntimeError("ErrImagePull", "manifest unknown");
  node.runtime.images.failPull("nope", error);
  node.bind({ name: "p", containers: [{ name: "c", image: "nope" }] });
  const failing = await node.until("p", (pod) => waitingReason(pod, "c") === "ErrImagePull");
  assert.equal(statusOf(failing, "c")!.state!.waiting!.message, "manifest unknown");
  assert.equal(failing.status!.phase, "Pending");
  await node.clock.step(2_100);
  const backing = await node.until("p", (pod) => waitingReason(pod, "c") === "ImagePullBackOff");
  assert.match(
    statusOf(backing, "c")!.state!.waiting!.message!,
    /^Back-off pulling image "nope": ErrImagePull: manifest unknown; next try at 2026-01-01T00:00:\d\dZ$/,
  );
  node.runtime.images.failPull("nope", undefined);
  await node.clock.step(10_000);
  await node.until("p", isReady);
  assert.deepEqual(
    node.seen.slice(1, 5).map(({ reason, message }) => `${reason}: ${message}`),
    [
      'Pulling: Pulling image "nope"',
      'Failed: Failed to pull image "nope": manifest unknown',
      "Failed: Error: ErrImagePull",
      'BackOff: Back-off pulling image "nope"',
    ],
  );
});

for (const [image, imagePullPolicy, reason] of [
  ["busyBox", "IfNotPresent", "InvalidImageName"],
  ["absent", "Never", "ErrImageNeverPull"],
] as const) {
  test(`an image ${image} with policy ${imagePullPolicy} shows ${reason}`, async () => {
    await using node = await steppedNode();
    node.bind({ name: "p", containers: [{ name: "c", image, imagePullPolicy }] });
    await node.until("p", (pod) => waitingReason(pod, "c") === reason);
  });
}

test("a container that cannot be started shows RunContainerError, with its exit in lastState", async () => {
  await using node = await steppedNode();
  const message = 'exec: "nope": executable file not found in $PATH';
  node.runtime.behaviours = () => ({ startError: { message, exitCode: 127 } });
  node.bind({ name: "p", containers: [{ name: "c", image: "i" }] });
  const pod = await node.until("p", (p) => waitingReason(p, "c") === "RunContainerError");
  assert.equal(statusOf(pod, "c")!.lastState!.terminated!.exitCode, 127);
  assert.equal(statusOf(pod, "c")!.lastState!.terminated!.reason, "StartError");
  await node.eventually("its second failure is backed off", async () => {
    await node.clock.step(100);
    return waitingReason(node.pod("p")!, "c") === "CrashLoopBackOff" ? true : undefined;
  });
});

test("a sandbox that dies is made again, and the init containers run again", async () => {
  await using node = await steppedNode();
  node.runtime.behaviours = ({ metadata }) => (metadata.name === "init" ? { exitAfterMs: 0 } : {});
  node.bind({
    name: "p",
    initContainers: [{ name: "init", image: "i" }],
    containers: [{ name: "c", image: "i" }],
  });
  await node.clock.step(10);
  await node.eventually("the pod is ready", async () => {
    await node.clock.step(1);
    return isReady(node.pod("p")!) ? true : undefined;
  });
  node.runtime.killSandbox((await node.runtime.listPodSandboxes())[0]!.id);
  await node.eventually("the pod is ready again", async () => {
    await node.clock.step(1);
    const pod = node.pod("p")!;
    return isReady(pod) && statusOf(pod, "c")!.restartCount === 1 ? true : undefined;
  });
  const pod = node.pod("p")!;
  assert.equal(pod.status!.podIP, "10.88.0.3");
  assert.equal(statusOf(pod, "c")!.lastState!.terminated!.exitCode, 137);
  assert.ok(node.seen.some(({ reason }) => reason === "SandboxChanged"));
});

test("a pod past its activeDeadlineSeconds fails, once its containers have ended", async () => {
  await using node = await steppedNode();
  node.runtime.behaviours = () => ({ stopAfterMs: 3_000 });
  node.bind({ name: "p", activeDeadlineSeconds: 5, containers: [{ name: "c", image: "i" }] });
  await node.until("p", isReady);
  await node.clock.step(5_000);
  await node.eventually("it is being stopped", () =>
    node.seen.some(({ reason }) => reason === "Killing") ? true : undefined,
  );
  assert.equal(node.pod("p")!.status!.phase, "Running");
  await node.clock.step(3_000);
  const pod = await node.until("p", ({ status }) => status?.phase === "Failed");
  assert.equal(pod.status!.reason, "DeadlineExceeded");
  assert.equal(pod.status!.message, "Pod was active on the node longer than the specified deadline");
});

test("a grace period that is cut short while the pod terminates counts from then", async () => {
  await using node = await steppedNode();
  node.runtime.behaviours = () => ({ onStopSignal: "ignore" });
  node.bind({ name: "p", containers: [{ name: "c", image: "i" }] });
  await node.until("p", isReady);
  await remove(node, "p", 600);
  await node.eventually("it is being stopped", () =>
    node.seen.some(({ reason }) => reason === "Killing") ? true : undefined,
  );
  await node.clock.step(1_000);
  await remove(node, "p", 3);
  await node.clock.step(100);
  assert.ok(node.pod("p"));
  await node.clock.step(3_000);
  await node.untilGone("p");
});

test("preStop runs inside the grace period, before the stop signal", async () => {
  await using node = await steppedNode();
  const ran: string[] = [];
  node.runtime.behaviours = () => ({
    exec: (command) => {
      ran.push(command.join(" "));
      return { exitCode: 0 };
    },
  });
  const lifecycle = { preStop: { exec: { command: ["say", "goodbye"] } } };
  node.bind({ name: "p", containers: [{ name: "c", image: "i", lifecycle }] });
  await node.until("p", isReady);
  await remove(node, "p");
  await node.untilGone("p");
  assert.deepEqual(ran, ["say goodbye"]);
});

test("a preStop hook that never ends is cut off by the grace period", async () => {
  await using node = await steppedNode();
  let hasBegun = false;
  node.runtime.behaviours = () => ({
    exec: () => {
      hasBegun = true;
      return { exitCode: 0, hangs: true };
    },
  });
  const lifecycle = { preStop: { exec: { command: ["hang"] } } };
  node.bind({ name: "p", containers: [{ name: "c", image: "i", lifecycle }] });
  await node.until("p", isReady);
  await remove(node, "p", 5);
  await node.eventually("the hook runs", () => (hasBegun ? true : undefined));
  await node.clock.step(4_900);
  assert.equal(node.runtime.find("c")!.state, "running");
  await node.clock.step(200);
  await node.untilGone("p");
});

test("a container whose postStart hook fails is killed and restarted", async () => {
  await using node = await steppedNode();
  node.runtime.behaviours = ({ metadata }) => ({
    exec: () => ({ exitCode: metadata.attempt === 0 ? 1 : 0 }),
  });
  const lifecycle = { postStart: { exec: { command: ["warm", "up"] } } };
  node.bind({ name: "p", containers: [{ name: "c", image: "i", lifecycle }] });
  const pod = await node.until("p", (p) => waitingReason(p, "c") === "PostStartHookError");
  assert.match(
    statusOf(pod, "c")!.state!.waiting!.message!,
    /^Exec lifecycle hook \(\[warm up\]\) for Container "c" in Pod /,
  );
  await node.clock.step(1_100);
  await node.until("p", (p) => isReady(p) && statusOf(p, "c")!.restartCount === 1);
  assert.ok(
    node.seen.some(
      ({ reason, message }) => reason === "FailedPostStartHook" && message === "PostStartHook failed",
    ),
  );
});

test("a changed image replaces the container, with a restart", async () => {
  await using node = await steppedNode();
  const pod = node.bind({ name: "p", containers: [{ name: "c", image: "one" }] });
  const before = await node.until("p", isReady);
  node.api.put("pods", {
    ...before,
    spec: { ...pod.spec, containers: [{ ...pod.spec!.containers[0]!, image: "two" }] },
  });
  const after = await node.until("p", (p) => statusOf(p, "c")?.restartCount === 1 && isReady(p));
  assert.match(statusOf(after, "c")!.image, /two/);
  assert.ok(node.seen.some(({ message }) => message === "Container c definition changed, will be restarted"));
});

test("a pod that does not fit is refused with upstream's reason", async () => {
  await using node = await steppedNode();
  node.bind({
    name: "huge",
    containers: [{ name: "c", image: "i", resources: { requests: { cpu: "1000" } } }],
  });
  const huge = await node.until("huge", ({ status }) => status?.phase === "Failed");
  assert.equal(huge.status!.reason, "OutOfcpu");
  assert.equal(huge.status!.observedGeneration, 1);
  assert.match(
    huge.status!.message!,
    /^Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000, used: 0, capacity: /,
  );
  node.bind({ name: "picky", nodeSelector: { disk: "ssd" }, containers: [{ name: "c", image: "i" }] });
  const picky = await node.until("picky", ({ status }) => status?.phase === "Failed");
  assert.equal(picky.status!.reason, "NodeAffinity");
  node.bind({ name: "foreign", os: { name: "windows" }, containers: [{ name: "c", image: "i" }] });
  const foreign = await node.until("foreign", ({ status }) => status?.phase === "Failed");
  assert.equal(foreign.status!.reason, "PodOSNotSupported");
  const ports = [{ containerPort: 80, hostPort: 8080 }];
  node.bind({ name: "first", containers: [{ name: "c", image: "i", ports }] });
  await node.until("first", isReady);
  node.bind({ name: "second", containers: [{ name: "c", image: "i", ports }] });
  const second = await node.until("second", ({ status }) => status?.phase === "Failed");
  assert.equal(second.status!.reason, "NodePorts");
  await remove(node, "huge");
  await node.untilGone("huge");
});

test("a forced deletion ends the containers, though the object is gone at once", async () => {
  await using node = await steppedNode();
  node.bind({ name: "p", containers: [{ name: "c", image: "i" }] });
  await node.until("p", isReady);
  await remove(node, "p", 0);
  assert.equal(node.pod("p"), undefined);
  await node.eventually("nothing is left", async () =>
    (await node.runtime.listContainers()).length === 0 ? true : undefined,
  );
});

test("the room of a pod that was deleted by force is free for another, though it is still ending", async () => {
  await using node = await steppedNode();
  const cpus = Number(node.api.all("nodes")[0]!.status.allocatable.cpu);
  const resources = { requests: { cpu: String(cpus * 0.6) } };
  const lifecycle = { preStop: { sleep: { seconds: 20 } } };
  node.bind({ name: "old", containers: [{ name: "old", image: "i", resources, lifecycle }] });
  await node.until("old", isReady);
  await remove(node, "old", 0);
  node.bind({ name: "new", containers: [{ name: "new", image: "i", resources }] });
  const { status } = await node.until("new", (pod) => isReady(pod) || pod.status?.phase === "Failed");
  assert.equal(status!.phase, "Running", status!.message);
});

test("a status that cannot be written is written later, and only the last one", async () => {
  await using node = await steppedNode();
  node.api.failure = ({ subresource }) =>
    subresource === "status" ? new Error("the server is away") : undefined;
  node.bind({ name: "p", containers: [{ name: "c", image: "i" }] });
  await node.eventually("it runs", () => (node.runtime.find("c")?.state === "running" ? true : undefined));
  await node.clock.step(1_000);
  assert.equal(node.pod("p")!.status!.phase, "Pending");
  node.api.failure = undefined;
  await node.clock.step(10_000);
  await node.until("p", isReady);
});
