import assert from "node:assert/strict";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
import { SteppedClock } from "../base/index.ts";
import { startNode, type TestNode } from "./testing/node.ts";

const isReady = ({ status }: corev1.Pod) =>
  status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") === true;

async function steppedNode(): Promise<TestNode & { clock: SteppedClock }> {
  return (await startNode({ clock: new SteppedClock() })) as TestNode & { clock: SteppedClock };
}

/** Lets time pass until the pod is as wanted. */
async function pass(
  node: TestNode & { clock: SteppedClock },
  what: string,
  condition: (pod: corev1.Pod) => boolean,
): Promise<corev1.Pod> {
  return node.eventually(what, async () => {
    await node.clock.step(250);
    const pod = node.pod("p")!;
    return condition(pod) ? pod : undefined;
  });
}

test("readiness follows its probe, after its thresholds", async () => {
  await using node = await steppedNode();
  let exitCode = 1;
  node.runtime.behaviours = () => ({ exec: () => ({ exitCode, stdout: "not yet" }) });
  const readinessProbe = { exec: { command: ["check"] }, periodSeconds: 1, failureThreshold: 3 };
  node.bind({ name: "p", containers: [{ name: "c", image: "i", readinessProbe }] });
  await pass(node, "it runs", ({ status }) => status?.phase === "Running");
  await node.clock.step(3_000);
  assert.equal(isReady(node.pod("p")!), false);
  assert.ok(
    node.seen.some(
      ({ reason, message }) => reason === "Unhealthy" && message === "Readiness probe failed: not yet",
    ),
  );
  exitCode = 0;
  await pass(node, "it is ready", isReady);
  exitCode = 1;
  await node.clock.step(1_500);
  assert.equal(isReady(node.pod("p")!), true);
  await pass(node, "it is not ready", (pod) => !isReady(pod));
  assert.equal(node.pod("p")!.status!.containerStatuses![0]!.restartCount, 0);
});

test("a container that fails its liveness probe is killed and restarted", async () => {
  await using node = await steppedNode();
  node.runtime.behaviours = ({ metadata }) => ({
    exec: () => ({ exitCode: metadata.attempt === 0 ? 1 : 0 }),
  });
  const livenessProbe = { exec: { command: ["check"] }, periodSeconds: 1, failureThreshold: 2 };
  node.bind({ name: "p", containers: [{ name: "c", image: "i", livenessProbe }] });
  const pod = await pass(
    node,
    "it was restarted",
    ({ status }) => status?.containerStatuses?.[0]?.restartCount === 1 && status.phase === "Running",
  );
  assert.equal(pod.status!.containerStatuses![0]!.lastState!.terminated!.exitCode, 143);
  assert.ok(
    node.seen.some(({ message }) => message === "Container c failed liveness probe, will be restarted"),
  );
});

test("other probes wait for the startup probe", async () => {
  await using node = await steppedNode();
  let hasStarted = false;
  const commands: string[] = [];
  node.runtime.behaviours = () => ({
    exec: ([command]) => {
      commands.push(command!);
      return { exitCode: command === "startup" && !hasStarted ? 1 : 0 };
    },
  });
  const probe = (command: string) => ({
    exec: { command: [command] },
    periodSeconds: 1,
    failureThreshold: 30,
  });
  node.bind({
    name: "p",
    containers: [
      {
        name: "c",
        image: "i",
        startupProbe: probe("startup"),
        livenessProbe: probe("liveness"),
        readinessProbe: probe("readiness"),
      },
    ],
  });
  await pass(node, "it runs", ({ status }) => status?.phase === "Running");
  await node.clock.step(5_000);
  assert.deepEqual([...new Set(commands)], ["startup"]);
  assert.equal(node.pod("p")!.status!.containerStatuses![0]!.started, false);
  hasStarted = true;
  const ready = await pass(node, "it is ready", isReady);
  assert.equal(ready.status!.containerStatuses![0]!.started, true);
  const before = commands.filter((command) => command === "startup").length;
  await node.clock.step(5_000);
  assert.equal(
    commands.filter((command) => command === "startup").length,
    before,
    "a startup probe that succeeded is over",
  );
});

test("an exec probe that takes longer than its timeout has failed", async () => {
  await using node = await steppedNode();
  node.runtime.behaviours = () => ({ exec: () => ({ exitCode: 0, hangs: true }) });
  const livenessProbe = {
    exec: { command: ["hang"] },
    periodSeconds: 5,
    timeoutSeconds: 2,
    failureThreshold: 1,
    terminationGracePeriodSeconds: 3,
  };
  node.bind({ name: "p", containers: [{ name: "c", image: "i", livenessProbe }] });
  await pass(
    node,
    "it was restarted",
    ({ status }) => (status?.containerStatuses?.[0]?.restartCount ?? 0) >= 1,
  );
});

test("an httpGet probe goes to the named port with its headers, and counts 200 to 399 as success", async () => {
  const seen: http.IncomingMessage[] = [];
  let statusCode = 503;
  const server = http.createServer((request, response) => {
    seen.push(request);
    response.writeHead(statusCode).end("body");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await using node = await steppedNode();
    const { port } = server.address() as AddressInfo;
    const httpHeaders = [{ name: "X-Probe", value: "yes" }];
    const readinessProbe = {
      httpGet: { host: "127.0.0.1", path: "/healthz?a=b", port: "web", httpHeaders },
      periodSeconds: 1,
      timeoutSeconds: 30,
    };
    node.bind({
      name: "p",
      containers: [{ name: "c", image: "i", ports: [{ name: "web", containerPort: port }], readinessProbe }],
    });
    await pass(node, "it was told", () =>
      node.seen.some(
        ({ message }) => message === "Readiness probe failed: HTTP probe failed with statuscode: 503",
      ),
    );
    statusCode = 302;
    await pass(node, "it is ready", isReady);
    assert.equal(seen[0]!.url, "/healthz?a=b");
    assert.equal(seen[0]!.headers["x-probe"], "yes");
    assert.match(seen[0]!.headers["user-agent"]!, /^kube-probe\/1\.36/);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test("a tcpSocket probe fails while nobody listens", async () => {
  await using node = await steppedNode();
  const readinessProbe = { tcpSocket: { host: "127.0.0.1", port: 1 }, periodSeconds: 1, timeoutSeconds: 30 };
  node.bind({ name: "p", containers: [{ name: "c", image: "i", readinessProbe }] });
  await pass(node, "it was told", () =>
    node.seen.some(
      ({ message }) =>
        message === "Readiness probe failed: dial tcp 127.0.0.1:1: connect: connection refused",
    ),
  );
});

test("readiness gates hold Ready back until their conditions are true", async () => {
  await using node = await steppedNode();
  node.bind({
    name: "p",
    readinessGates: [{ conditionType: "example.com/gate" }],
    containers: [{ name: "c", image: "i" }],
  });
  const pod = await node.until("p", ({ status }) => status?.phase === "Running");
  const ready = pod.status!.conditions!.find(({ type }) => type === "Ready")!;
  assert.equal(ready.reason, "ReadinessGatesNotReady");
  assert.equal(
    ready.message,
    'corresponding condition of pod readiness gate "example.com/gate" does not exist.',
  );
  node.api.put("pods", {
    ...pod,
    status: {
      ...pod.status,
      conditions: [...pod.status!.conditions!, { type: "example.com/gate", status: "True" }],
    },
  });
  const after = await node.until("p", isReady);
  assert.ok(
    after.status!.conditions!.some(({ type }) => type === "example.com/gate"),
    "a condition of others stays",
  );
});
