import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start();
});
after(() => cluster?.purge());

const mebi = 1024 * 1024;

type Lists = { requests?: Record<string, string>; limits?: Record<string, string> };

const both = (cpu: string, memory: string): Lists => ({ requests: { cpu, memory }, limits: { cpu, memory } });

const container = (name: string, resources: Lists, more: object = {}) => ({
  name,
  image: "busybox",
  command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"],
  resources,
  ...more,
});

async function run(name: string, containers: object[], more: object = {}): Promise<void> {
  await cluster.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { terminationGracePeriodSeconds: 1, restartPolicy: "OnFailure", containers, ...more },
  });
  await cluster.wait(`pod/${name}`, "condition=Ready");
}

const patch = (name: string, containers: { name: string; resources: Lists }[], more: object = {}) =>
  cluster.try([
    ...["patch", "pod", name, "--subresource", "resize", "--type", "strategic", "-p"],
    JSON.stringify({ spec: { containers, ...more } }),
  ]);

async function settled(name: string): Promise<any> {
  return eventually(`the resize of ${name} is over`, async () => {
    const pod = await cluster.get("pod", name);
    const isOver =
      pod.status.observedGeneration === pod.metadata.generation &&
      !pod.status.conditions.some(({ type }: any) => type.startsWith("PodResize")) &&
      pod.status.conditions.some(({ type, status }: any) => type === "Ready" && status === "True");
    return isOver && pod;
  });
}

const statusOf = (pod: any, name: string) =>
  pod.status.containerStatuses.find((status: any) => status.name === name);

/** What a container reads of its own cgroup. */
async function cgroupOf(name: string, of: string): Promise<{ memory: number; quotaUs: number }> {
  const script =
    "cd /sys/fs/cgroup; if [ -e memory.max ]; then cat memory.max cpu.max; else cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us; fi";
  const [memory, quota] = (await cluster.kubectl(["exec", name, "-c", of, "--", "sh", "-c", script])).split(
    "\n",
  );
  return { memory: Number(memory), quotaUs: Number(quota!.split(" ")[0]) };
}

test("kubectl resizes running containers up and down, without a restart", { timeout: 120_000 }, async () => {
  await run("three", [
    container("c1", both("20m", "32Mi")),
    container("c2", both("30m", "40Mi")),
    container("c3", both("40m", "48Mi")),
  ]);
  const wanted: Record<string, Lists> = {
    c1: both("60m", "64Mi"),
    c2: both("20m", "32Mi"),
    c3: both("50m", "40Mi"),
  };
  const asked = Object.entries(wanted).map(([name, resources]) => ({ name, resources }));
  assert.equal((await patch("three", asked)).exitCode, 0);
  const pod = await settled("three");
  for (const [name, resources] of Object.entries(wanted)) {
    const status = statusOf(pod, name);
    assert.deepEqual([status.resources, status.allocatedResources], [resources, resources.requests]);
    assert.equal(status.restartCount, 0);
  }
  assert.deepEqual(await cgroupOf("three", "c1"), { memory: 64 * mebi, quotaUs: 6_000 });
  assert.deepEqual(await cgroupOf("three", "c2"), { memory: 32 * mebi, quotaUs: 2_000 });
  assert.deepEqual(await cgroupOf("three", "c3"), { memory: 40 * mebi, quotaUs: 5_000 });
  assert.equal(pod.metadata.generation, 2);
  assert.deepEqual(pod.status.resources.requests, { cpu: "130m", memory: "136Mi" });
  const events = await eventually("the last of its events", async () => {
    const told = await cluster.kubectl(["events", "--for", "pod/three"]);
    return told.includes("ResizeCompleted") && told;
  });
  assert.match(events, /Normal\s+ResizeStarted\s+Pod\/three\s+Pod resize started: \{"containers":/);
  assert.match(events, /Normal\s+ResizeCompleted\s+Pod\/three\s+Pod resize completed: \{"containers":/);
  // And back, by a write of the whole pod.
  const whole = await cluster.get("pod", "three");
  whole.spec.containers[0].resources = both("20m", "32Mi");
  const replaced = await cluster.try(["replace", "--subresource", "resize", "-f", "-"], {
    input: JSON.stringify(whole),
  });
  assert.equal(replaced.exitCode, 0, replaced.stderr);
  await settled("three");
  assert.deepEqual(await cgroupOf("three", "c1"), { memory: 32 * mebi, quotaUs: 2_000 });
  const fetched = await cluster.get("pod", "three", "--subresource", "resize");
  assert.deepEqual(fetched.spec, (await cluster.get("pod", "three")).spec);
});

test("a container that has to restart for it does, and the new one has it", {
  timeout: 120_000,
}, async () => {
  const restarts = { resizePolicy: [{ resourceName: "memory", restartPolicy: "RestartContainer" }] };
  await run("restarted", [
    container("c", both("20m", "32Mi"), restarts),
    container("other", both("20m", "32Mi")),
  ]);
  assert.equal((await patch("restarted", [{ name: "c", resources: both("20m", "64Mi") }])).exitCode, 0);
  const pod = await settled("restarted");
  assert.equal(statusOf(pod, "c").restartCount, 1);
  assert.equal(statusOf(pod, "other").restartCount, 0);
  assert.equal((await cgroupOf("restarted", "c")).memory, 64 * mebi);
});

test("memory in use is not taken away: the resize tells so, and can be taken back", {
  timeout: 120_000,
}, async () => {
  await run("full", [container("c", both("50m", "64Mi"))]);
  const script = "dd if=/dev/zero of=/dev/shm/x bs=1M count=24 2>/dev/null";
  await cluster.kubectl(["exec", "full", "--", "sh", "-c", script]);
  assert.equal((await patch("full", [{ name: "c", resources: both("50m", "16Mi") }])).exitCode, 0);
  const error = await eventually("the resize has failed", async () => {
    const { status } = await cluster.get("pod", "full");
    return status.conditions.find(
      ({ type, reason }: any) => type === "PodResizeInProgress" && reason === "Error",
    );
  });
  assert.match(
    error.message,
    /^cannot decrease memory limits: .*memory limit \(16777216\) below current usage \(\d+\)/,
  );
  assert.deepEqual(await cgroupOf("full", "c"), { memory: 64 * mebi, quotaUs: 5_000 });
  await patch("full", [{ name: "c", resources: both("50m", "64Mi") }]);
  const pod = await settled("full");
  assert.equal(statusOf(pod, "c").restartCount, 0);
});

test("what a resize may not do is refused, in Kubernetes' words", { timeout: 120_000 }, async () => {
  await run("refused", [container("c", both("20m", "32Mi"))]);
  const cases: [Lists | undefined, RegExp][] = [
    [{ limits: { cpu: "100m" } }, /Pod QOS Class may not change as a result of resizing/],
    [
      both("2000", "32Mi"),
      /forbidden: node didn't have enough allocatable resources: cpu, requested: 2000000, allocatable: \d+/,
    ],
  ];
  for (const [resources, message] of cases) {
    const { exitCode, stderr } = await patch("refused", [{ name: "c", resources: resources! }]);
    assert.equal(exitCode, 1);
    assert.match(stderr, message);
  }
  const removed = await cluster.try([
    ...["patch", "pod", "refused", "--subresource", "resize", "--type", "json", "-p"],
    JSON.stringify([{ op: "remove", path: "/spec/containers/0/resources/limits/cpu" }]),
  ]);
  assert.match(removed.stderr, /resource limits cannot be removed/);
  assert.equal((await cluster.get("pod", "refused")).metadata.generation, 1);
});

test("a killed agent goes on with what it gave", { timeout: 120_000 }, async () => {
  await run("kept", [container("c", both("20m", "32Mi"))]);
  assert.equal((await patch("kept", [{ name: "c", resources: both("40m", "64Mi") }])).exitCode, 0);
  await settled("kept");
  await cluster.kill();
  await cluster.up();
  assert.equal((await patch("kept", [{ name: "c", resources: both("60m", "64Mi") }])).exitCode, 0);
  const pod = await settled("kept");
  assert.equal(statusOf(pod, "c").restartCount, 0);
  assert.deepEqual(await cgroupOf("kept", "c"), { memory: 64 * mebi, quotaUs: 6_000 });
});

test("the pod's own resources are resized, and who has no limit of its own with them", {
  timeout: 120_000,
}, async () => {
  await run("podlevel", [container("c", {})], { resources: both("50m", "64Mi") });
  assert.equal((await patch("podlevel", [], { resources: both("80m", "96Mi") })).exitCode, 0);
  const pod = await settled("podlevel");
  assert.deepEqual(pod.status.resources, both("80m", "96Mi"));
  assert.deepEqual(await cgroupOf("podlevel", "c"), { memory: 96 * mebi, quotaUs: 8_000 });
});

test("containers restart when their pod's own cpu changes and their policy asks for it, up and down", {
  timeout: 120_000,
}, async () => {
  const restarts = { resizePolicy: [{ resourceName: "cpu", restartPolicy: "RestartContainer" }] };
  await run("podcpu", [container("c", {}, restarts)], {
    resources: both("80m", "96Mi"),
    initContainers: [container("sidecar", {}, { ...restarts, restartPolicy: "Always" })],
  });
  for (const [index, cpu] of ["90m", "70m"].entries()) {
    assert.equal((await patch("podcpu", [], { resources: both(cpu, "96Mi") })).exitCode, 0);
    const pod = await settled("podcpu");
    assert.equal(statusOf(pod, "c").restartCount, index + 1);
    assert.equal(pod.status.initContainerStatuses[0].restartCount, index + 1);
    assert.equal((await cgroupOf("podcpu", "c")).quotaUs, Number.parseInt(cpu, 10) * 100);
  }
});

test("a pod gets resources of its own that it had none of", { timeout: 120_000 }, async () => {
  await run("first", [container("c", { requests: { cpu: "20m" }, limits: { cpu: "40m" } })]);
  const resources = { requests: { cpu: "50m" }, limits: { cpu: "80m" } };
  assert.equal((await patch("first", [], { resources })).exitCode, 0);
  const pod = await settled("first");
  assert.deepEqual(pod.spec.resources, resources);
  assert.deepEqual(pod.status.allocatedResources, { cpu: "50m" });
  assert.deepEqual(pod.status.resources, resources);
});
