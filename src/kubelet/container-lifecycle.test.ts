import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
import { RuntimeError } from "../runtime/index.ts";
import { Diary, type Script } from "./testing/diary.ts";
import { isReady, statusOf, steppedNode, waitingReason } from "./testing/stepped-node.ts";

/* The outcomes of upstream's test/e2e_node/container_lifecycle_test.go, on a simulated engine and a clock that is stepped. */

const container = (name: string, more: Partial<corev1.Container> = {}): corev1.Container => ({
  ...{ name, image: "i" },
  ...more,
});
const sidecar = (name: string, more: Partial<corev1.Container> = {}) =>
  container(name, { restartPolicy: "Always", ...more });
const hook = (command: string): corev1.LifecycleHandler => ({ exec: { command: [command] } });
const probe = (command: string, more: Partial<corev1.Probe> = {}): corev1.Probe => ({
  ...{ exec: { command: [command] }, periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 60 },
  ...more,
});
const after = (seconds: number, exitCode = 0): Script => ({ exitAfterMs: seconds * 1_000, exitCode });
const hasEnded = ({ status }: corev1.Pod) => status?.phase === "Succeeded" || status?.phase === "Failed";
const policies = ["Never", "OnFailure", "Always"] as const;

/** What becomes of a pod whose sidecar does this, by the pod's policy. */
const sidecarTable: readonly {
  what: string;
  sidecarDoes: Script;
  restarts: boolean;
}[] = [
  { what: "runs on", sidecarDoes: {}, restarts: false },
  { what: "ends well again and again", sidecarDoes: after(2), restarts: true },
  { what: "fails again and again", sidecarDoes: after(2, 1), restarts: true },
];
for (const restartPolicy of policies) {
  for (const { what, sidecarDoes, restarts } of sidecarTable) {
    test(`with restartPolicy ${restartPolicy}, a sidecar that ${what} holds up nothing`, async () => {
      await using node = await steppedNode();
      const diary = new Diary(node, { side: sidecarDoes, main: after(20) });
      node.bind({
        name: "p",
        restartPolicy,
        initContainers: [sidecar("side")],
        containers: [container("main")],
      });
      if (restartPolicy === "Always") {
        await diary.until("the main container restarts", (pod) => statusOf(pod, "main")!.restartCount > 0);
      } else {
        const pod = await diary.until("it has ended", hasEnded);
        assert.equal(pod.status!.phase, "Succeeded");
        assert.equal(diary.count("start main"), 1);
      }
      assert.ok(diary.isBefore("start side", "start main"));
      assert.equal(diary.count("start side") > 1, restarts);
    });
  }

  test(`with restartPolicy ${restartPolicy}, a sidecar with a bad image keeps the pod Pending`, async () => {
    await using node = await steppedNode();
    const diary = new Diary(node);
    node.runtime.images.failPull("bad", new RuntimeError("ErrImagePull", "no such image"));
    node.bind({
      name: "p",
      restartPolicy,
      initContainers: [sidecar("side", { image: "bad" })],
      containers: [container("main")],
    });
    const pod = await diary.until("it backs off", (p) => waitingReason(p, "side") === "ImagePullBackOff");
    assert.equal(pod.status!.phase, "Pending");
    assert.deepEqual(diary.lines, []);
  });

  for (const [place, initContainers] of [
    ["before", [container("init"), sidecar("side")]],
    ["after", [sidecar("side"), container("init")]],
  ] as const) {
    test(`with restartPolicy ${restartPolicy}, an init container that fails ${place} a sidecar`, async () => {
      await using node = await steppedNode();
      const diary = new Diary(node, { init: after(1, 1) });
      node.bind({
        name: "p",
        restartPolicy,
        initContainers: [...initContainers],
        containers: [container("main")],
      });
      if (restartPolicy === "Never") {
        const pod = await diary.until("it has ended", hasEnded);
        assert.equal(pod.status!.phase, "Failed");
        assert.equal(statusOf(pod, "init")!.state!.terminated!.exitCode, 1);
      } else {
        const pod = await diary.until("it is retried", (p) => statusOf(p, "init")!.restartCount > 1);
        assert.equal(pod.status!.phase, "Pending");
      }
      assert.equal(diary.count("start side"), place === "after" ? 1 : 0);
      assert.equal(diary.count("start main"), 0);
    });
  }

  test(`with restartPolicy ${restartPolicy}, a changed image replaces a running container, and no other`, async () => {
    await using node = await steppedNode();
    const diary = new Diary(node);
    node.bind({ name: "p", restartPolicy, containers: [container("one"), container("two")] });
    const pod = await diary.until("it is ready", isReady);
    const [one, two] = pod.spec!.containers as [corev1.Container, corev1.Container];
    node.api.put("pods", { ...pod, spec: { ...pod.spec!, containers: [{ ...one, image: "new" }, two] } });
    const changed = await diary.until(
      "it is ready with the new image",
      (p) => isReady(p) && statusOf(p, "one")!.restartCount === 1,
    );
    assert.match(statusOf(changed, "one")!.image, /new/);
    assert.equal(statusOf(changed, "two")!.restartCount, 0);
  });

  test(`with restartPolicy ${restartPolicy}, a changed image of a sidecar replaces it`, async () => {
    await using node = await steppedNode();
    const diary = new Diary(node);
    node.bind({
      name: "p",
      restartPolicy,
      initContainers: [sidecar("side")],
      containers: [container("main")],
    });
    const pod = await diary.until("it is ready", isReady);
    const initContainers = [{ ...pod.spec!.initContainers![0]!, image: "new" }];
    node.api.put("pods", { ...pod, spec: { ...pod.spec!, initContainers } });
    const changed = await diary.until(
      "the sidecar is replaced",
      (p) => isReady(p) && statusOf(p, "side")!.restartCount === 1,
    );
    assert.equal(statusOf(changed, "main")!.restartCount, 0);
  });

  test(`with restartPolicy ${restartPolicy}, a main container's changed image waits for its init containers`, async () => {
    await using node = await steppedNode();
    const diary = new Diary(node, { init: after(10) });
    node.bind({
      name: "p",
      restartPolicy,
      initContainers: [container("init")],
      containers: [container("main")],
    });
    const pod = await diary.until("init runs", (p) => statusOf(p, "init")?.state?.running !== undefined);
    const containers = [{ ...pod.spec!.containers[0]!, image: "new" }];
    node.api.put("pods", { ...pod, spec: { ...pod.spec!, containers } });
    const ready = await diary.until("it is ready", isReady);
    assert.deepEqual(diary.lines, ["start init", "exit init", "start main"]);
    assert.equal(statusOf(ready, "main")!.restartCount, 0);
    assert.match(statusOf(ready, "main")!.image, /new/);
  });
}

for (const [restartPolicy, restarts] of [
  ["Never", false],
  ["OnFailure", true],
  ["Always", true],
] as const) {
  test(`with restartPolicy ${restartPolicy}, what its liveness probe kills ${restarts ? "restarts, though it ends well" : "ends"}`, async () => {
    await using node = await steppedNode();
    const diary = new Diary(node, { main: { stopAfterMs: 1_000 } }, { alive: { exitCode: 1 } });
    const main = container("main", {
      livenessProbe: probe("alive", { initialDelaySeconds: 3 }),
      lifecycle: { preStop: hook("bye") },
    });
    node.bind({ name: "p", restartPolicy, containers: [main] });
    await diary.until("it is being killed", () => diary.count("end bye") > 0);
    // As a program that obeys its stop signal.
    node.runtime.exit(node.runtime.find("main")!.id, 0);
    if (restarts) {
      const pod = await diary.until("it has restarted", (p) => statusOf(p, "main")!.restartCount === 1);
      assert.equal(pod.status!.phase, "Running");
      assert.ok(diary.isBefore("end bye", "exit main"));
    } else {
      const pod = await diary.until("it has ended", hasEnded);
      assert.equal(statusOf(pod, "main")!.restartCount, 0);
    }
  });
}

test("init containers and sidecars start in their order, each when the one before it is done or started", async () => {
  await using node = await steppedNode();
  const diary = new Diary(
    node,
    { init1: after(1), init2: after(1), init3: after(1), main: after(2) },
    { started1: { afterMs: 2_000 } },
  );
  node.bind({
    name: "p",
    restartPolicy: "Never",
    initContainers: [
      container("init1"),
      sidecar("side1", { startupProbe: probe("started1", { failureThreshold: 30 }) }),
      container("init2"),
      sidecar("side2"),
      container("init3"),
    ],
    containers: [container("main")],
  });
  const pod = await diary.until("it has ended", hasEnded);
  assert.equal(pod.status!.phase, "Succeeded");
  assert.deepEqual(diary.lines, [
    "start init1",
    "exit init1",
    "start side1",
    "begin started1",
    "end started1",
    "start init2",
    "exit init2",
    "start side2",
    "start init3",
    "exit init3",
    "start main",
    "exit main",
    "exit side2",
    "exit side1",
  ]);
});

test("no container starts before the postStart hook of the one ahead of it has run", async () => {
  await using node = await steppedNode();
  const diary = new Diary(node, { init: after(1) }, { hello: { afterMs: 3_000 } });
  node.bind({
    name: "p",
    initContainers: [container("init")],
    containers: [container("one", { lifecycle: { postStart: hook("hello") } }), container("two")],
  });
  await diary.until("it is ready", isReady);
  assert.deepEqual(diary.lines, [
    "start init",
    "exit init",
    "start one",
    "begin hello",
    "end hello",
    "start two",
  ]);
});

test("a container whose postStart hook fails holds up the ones after it no longer", async () => {
  await using node = await steppedNode();
  const diary = new Diary(node, {}, { hello: { exitCode: 1 } });
  node.bind({
    name: "p",
    containers: [container("one", { lifecycle: { postStart: hook("hello") } }), container("two")],
  });
  await diary.until("the second runs", (pod) => statusOf(pod, "two")?.state?.running !== undefined);
  assert.ok(node.seen.some(({ reason }) => reason === "FailedPostStartHook"));
});

test("a sidecar whose startup probe fails is stopped with its hook and tried again; nothing after it starts", async () => {
  await using node = await steppedNode();
  const diary = new Diary(node, { side: { stopAfterMs: 500 } }, { started: { exitCode: 1 } });
  const side = sidecar("side", {
    startupProbe: probe("started", { initialDelaySeconds: 2 }),
    lifecycle: { preStop: hook("bye") },
  });
  node.bind({ name: "p", restartPolicy: "Never", initContainers: [side], containers: [container("main")] });
  await diary.until("it is tried again", (pod) => statusOf(pod, "side")!.restartCount > 0);
  assert.ok(diary.isBefore("end bye", "exit side"));
  assert.equal(diary.count("start main"), 0);
});

test("a sidecar whose startup probe succeeds at its second attempt lets the pod go on", async () => {
  await using node = await steppedNode();
  const answers = { started: { exitCode: 1 } };
  const diary = new Diary(node, {}, answers);
  node.bind({
    name: "p",
    initContainers: [sidecar("side", { startupProbe: probe("started") }), container("init")],
    containers: [container("main")],
  });
  await diary.until("it is tried again", (pod) => statusOf(pod, "side")!.restartCount > 0);
  answers.started.exitCode = 0;
  await diary.until("the init container runs", (pod) => statusOf(pod, "init")?.state?.running !== undefined);
  node.runtime.exit(node.runtime.find("init")!.id, 0);
  await diary.until("it is ready", isReady);
});

test("a sidecar whose liveness probe fails restarts while the pod goes on", async () => {
  await using node = await steppedNode();
  const diary = new Diary(node, { side: { stopAfterMs: 500 } }, { alive: { exitCode: 1 } });
  const side = sidecar("side", {
    livenessProbe: probe("alive", { initialDelaySeconds: 3 }),
    lifecycle: { preStop: hook("bye") },
  });
  node.bind({ name: "p", restartPolicy: "Never", initContainers: [side], containers: [container("main")] });
  const pod = await diary.until("it has restarted", (p) => statusOf(p, "side")!.restartCount > 0);
  assert.equal(pod.status!.phase, "Running");
  assert.ok(diary.isBefore("start main", "exit side"));
  assert.ok(diary.isBefore("end bye", "exit side"));
});

test("a probe's failure runs the preStop hook while readiness is still asked for, and liveness is not", async () => {
  await using node = await steppedNode();
  const diary = new Diary(
    node,
    { main: { stopAfterMs: 1_000 } },
    { alive: { exitCode: 1 }, bye: { afterMs: 10_000 } },
  );
  node.bind({
    name: "p",
    restartPolicy: "Never",
    terminationGracePeriodSeconds: 100,
    containers: [
      container("main", {
        lifecycle: { preStop: hook("bye") },
        livenessProbe: probe("alive", { initialDelaySeconds: 3 }),
        readinessProbe: probe("ready"),
      }),
    ],
  });
  await diary.until("it has ended", hasEnded);
  const during = diary.lines.slice(diary.lines.indexOf("begin bye"), diary.lines.indexOf("end bye"));
  assert.ok(during.includes("begin ready"));
  assert.ok(!during.includes("begin alive"));
});

test("while the last main container ends for good, no sidecar is restarted for its liveness, nor if it ends by itself", async () => {
  await using node = await steppedNode();
  const answers = { alive: { exitCode: 1 }, "side-alive": { exitCode: 0 }, bye: { afterMs: 40_000 } };
  const diary = new Diary(node, { main: { stopAfterMs: 1_000 }, side: { stopAfterMs: 500 } }, answers);
  node.bind({
    name: "p",
    restartPolicy: "Never",
    terminationGracePeriodSeconds: 100,
    initContainers: [sidecar("side", { livenessProbe: probe("side-alive") }), sidecar("dies")],
    containers: [
      container("main", {
        lifecycle: { preStop: hook("bye") },
        livenessProbe: probe("alive", { initialDelaySeconds: 5 }),
      }),
    ],
  });
  await diary.until("the hook runs", () => diary.count("begin bye") > 0);
  answers["side-alive"].exitCode = 1;
  node.runtime.exit(node.runtime.find("dies")!.id, 1);
  const pod = await diary.until("it has ended", hasEnded);
  const during = diary.lines.slice(diary.lines.indexOf("begin bye"), diary.lines.indexOf("end bye"));
  assert.ok(during.includes("exit dies") && during.includes("begin side-alive"), String(diary.lines));
  assert.ok(!during.includes("start dies") && !during.includes("exit side"), String(diary.lines));
  assert.equal(statusOf(pod, "side")!.restartCount, 0);
  assert.equal(pod.status!.phase, "Failed");
});

test("a main container that is to run again after its preStop hook keeps its sidecars going", async () => {
  await using node = await steppedNode();
  const answers = { alive: { exitCode: 1 }, bye: { afterMs: 40_000 } };
  const diary = new Diary(node, { main: { stopAfterMs: 1_000 } }, answers);
  node.bind({
    name: "p",
    terminationGracePeriodSeconds: 100,
    initContainers: [sidecar("dies")],
    containers: [
      container("main", {
        lifecycle: { preStop: hook("bye") },
        livenessProbe: probe("alive", { initialDelaySeconds: 5 }),
      }),
    ],
  });
  await diary.until("the hook runs", () => diary.count("begin bye") > 0);
  node.runtime.exit(node.runtime.find("dies")!.id, 1);
  await diary.until("it has restarted", (p) => statusOf(p, "main")!.restartCount > 0);
  const during = diary.lines.slice(diary.lines.indexOf("begin bye"), diary.lines.indexOf("end bye"));
  assert.ok(during.includes("start dies"), String(diary.lines));
});

for (const [what, initContainers, running] of [
  ["with init containers that have completed", [container("init")], ["main"]],
  ["with sidecars", [container("init"), sidecar("side")], ["main", "side"]],
] as const) {
  for (const forgotten of ["known", "forgotten"] as const) {
    test(`an agent that restarts leaves a pod ${what} and are ${forgotten} as it is`, async () => {
      await using node = await steppedNode();
      const diary = new Diary(node, { init: after(1) });
      node.bind({ name: "p", initContainers: [...initContainers], containers: [container("main")] });
      const before = await diary.until("it is ready", isReady);
      await node.stop();
      if (forgotten === "forgotten") await node.runtime.removeContainer(node.runtime.find("init")!.id);
      diary.lines.length = 0;
      await node.start();
      await diary.until(
        "some time has passed",
        () => node.clock.now() > Date.parse(before.status!.startTime!) + 30_000,
      );
      assert.deepEqual(diary.lines, []);
      const pod = node.pod("p")!;
      assert.ok(isReady(pod));
      for (const name of running) assert.equal(statusOf(pod, name)!.restartCount, 0);
      assert.equal(statusOf(pod, "init")!.state!.terminated!.exitCode, 0);
    });
  }
}

test("after a reboot a pod's containers start in their order again", async () => {
  await using node = await steppedNode();
  const diary = new Diary(node, { init1: after(1), init2: after(1) });
  node.bind({
    name: "p",
    initContainers: [container("init1"), sidecar("side"), container("init2")],
    containers: [container("main")],
  });
  await diary.until("it is ready", isReady);
  await node.stop();
  // Nothing survives a reboot but what is on the disk.
  for (const { id } of await node.runtime.listPodSandboxes()) await node.runtime.stopPodSandbox(id);
  diary.lines.length = 0;
  await node.start();
  await diary.until("it is ready again", (pod) => isReady(pod) && statusOf(pod, "main")!.restartCount === 1);
  assert.deepEqual(diary.lines, [
    "start init1",
    "exit init1",
    "start side",
    "start init2",
    "exit init2",
    "start main",
  ]);
});

test("a tcpSocket hook fails when it is run", async () => {
  await using node = await steppedNode();
  const diary = new Diary(node);
  const lifecycle = { postStart: { tcpSocket: { port: 80 } } };
  node.bind({ name: "p", containers: [container("main", { lifecycle })] });
  const pod = await diary.until("it shows", (p) => waitingReason(p, "main") === "PostStartHookError");
  assert.match(statusOf(pod, "main")!.state!.waiting!.message!, /^Cannot run handler: invalid handler/);
});
