import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import type { SteppedClock } from "../base/index.ts";
import type { TestNode } from "./testing/node.ts";
import { isReady, steppedNode } from "./testing/stepped-node.ts";

/*
 * What a node's agent shows over its port, on a simulated engine.
 */

const mebi = 1024 * 1024;
const never = new AbortController().signal;

async function get(node: TestNode, path: string, query: Record<string, string> = {}) {
  const page = await node.kubelet.page({ path, query }, never);
  const body = Buffer.isBuffer(page.body) ? page.body.toString() : await text(page.body);
  return { ...page, body };
}

async function withPod(use: (node: TestNode & { clock: SteppedClock }) => Promise<void>): Promise<void> {
  await using node = await steppedNode();
  node.bind({
    name: "p",
    containers: [
      {
        name: "c",
        image: "i",
        resources: { requests: { cpu: "100m" }, limits: { cpu: "200m", memory: "64Mi" } },
        livenessProbe: { exec: { command: ["true"] }, periodSeconds: 1 },
      },
    ],
  });
  await node.until("p", isReady);
  node.runtime.usage.set(node.runtime.find("c")!.id, {
    cpuUsageNs: 5e9,
    memoryUsageBytes: 20 * mebi,
    memoryWorkingSetBytes: 10 * mebi,
    memoryRssBytes: 5 * mebi,
    processCount: 2,
  });
  await use(node as TestNode & { clock: SteppedClock });
}

/** A summary may look twice: time must pass between. */
async function summary(node: TestNode & { clock: SteppedClock }, query: Record<string, string> = {}) {
  const asked = get(node, "/stats/summary", query);
  let isThere = false;
  void asked.then(() => {
    isThere = true;
  });
  await node.eventually("the summary is there", async () => {
    if (!isThere) await node.clock.step(250);
    return isThere || undefined;
  });
  return JSON.parse((await asked).body);
}

test("the summary has the node, its pods and their containers, with what they used in a second", () =>
  withPod(async (node) => {
    const first = await summary(node, { only_cpu_and_memory: "true" });
    const [pod] = first.pods;
    assert.deepEqual(pod.podRef, { name: "p", namespace: "default", uid: node.pod("p")!.metadata.uid });
    const [container] = pod.containers;
    assert.equal(container.name, "c");
    assert.equal(container.cpu.usageCoreNanoSeconds, 5e9);
    assert.equal(container.cpu.usageNanoCores, 0);
    assert.equal(container.memory.workingSetBytes, 10 * mebi);
    assert.equal(container.memory.availableBytes, 54 * mebi);
    assert.equal(container.rootfs, undefined);
    assert.equal(first.node.nodeName, "node-1");
    assert.ok(first.node.memory.workingSetBytes > 0 && first.node.cpu.usageCoreNanoSeconds > 0);
    // A second of a processor's time, over two seconds and what is stepped until the answer is there.
    await node.clock.step(2_001);
    const { id } = node.runtime.find("c")!;
    node.runtime.usage.set(id, { ...node.runtime.usage.get(id), cpuUsageNs: 6e9 + 5e5 });
    const second = await summary(node);
    const { time, usageNanoCores } = second.pods[0].containers[0].cpu;
    const passedS = (Date.parse(time) - Date.parse(container.cpu.time)) / 1_000;
    // Times are told in whole seconds.
    assert.ok(usageNanoCores * (passedS - 1) <= 1.0005e9, `${usageNanoCores} over ${passedS} s`);
    assert.ok(usageNanoCores * (passedS + 1) >= 1.0005e9, `${usageNanoCores} over ${passedS} s`);
    assert.equal(second.pods[0].process_stats.process_count, 2);
    assert.ok(second.node.fs.capacityBytes > 0 && second.node.runtime.imageFs);
    assert.ok(second.node.rlimit.maxpid >= second.node.rlimit.curproc);
    assert.ok(second.pods[0].containers[0].logs && second.pods[0]["ephemeral-storage"]);
    assert.deepEqual(
      second.node.systemContainers.map(({ name }: any) => name),
      ["kubelet", "pods"],
    );
  }));

test("the metrics of resources and of cAdvisor have their names and labels", () =>
  withPod(async (node) => {
    const resource = await get(node, "/metrics/resource");
    assert.match(resource.mediaType, /^text\/plain; version=0\.0\.4/);
    assert.match(
      resource.body,
      /^container_cpu_usage_seconds_total\{container="c",namespace="default",pod="p"\} 5 \d+$/m,
    );
    assert.match(
      resource.body,
      /^pod_memory_working_set_bytes\{namespace="default",pod="p"\} 1\.048576e\+07 \d+$/m,
    );
    assert.match(resource.body, /^# TYPE node_cpu_usage_seconds_total counter$/m);
    assert.match(resource.body, /^scrape_error 0$/m);
    const cadvisor = await get(node, "/metrics/cadvisor");
    const { uid } = node.pod("p")!.metadata;
    const { id } = node.runtime.find("c")!;
    assert.ok(
      cadvisor.body.includes(
        `container_memory_working_set_bytes{container="c",id="/kubepods/burstable/pod${uid}/${id}",image="docker.io/library/i:latest",name="${id}",namespace="default",pod="p"} 1.048576e+07`,
      ),
      cadvisor.body,
    );
    assert.match(cadvisor.body, /^container_spec_cpu_quota\{container="c",.*\} 20000 \d+$/m);
    assert.match(cadvisor.body, /^container_spec_cpu_period\{container="c",.*\} 100000 \d+$/m);
    assert.match(cadvisor.body, /^machine_cpu_cores \d+$/m);
  }));

test("cAdvisor's metrics have all that an engine tells of a container", () =>
  withPod(async (node) => {
    const { id } = node.runtime.find("c")!;
    const stalls = { avg10: 1, avg60: 2, avg300: 3, totalUs: 4e6 };
    node.runtime.usage.set(id, {
      ...node.runtime.usage.get(id)!,
      pressure: { cpu: { some: stalls, full: { ...stalls, totalUs: 2e6 } } },
      detail: {
        ...{
          cpuUserNs: 3e9,
          cpuSystemNs: 2e9,
          memoryCacheBytes: 11,
          memoryMappedBytes: 12,
          memoryMaxBytes: 13,
        },
        ...{ memoryLimitHits: 14, oomKills: 15, processes: 16, threads: 17, threadsMax: 18 },
        ...{ descriptors: 19, sockets: 20, openFilesMax: 21 },
        io: [{ major: 0, minor: 0, readBytes: 22, writeBytes: 23, reads: 24, writes: 25 }],
      },
    });
    const { body } = await get(node, "/metrics/cadvisor");
    const series: [name: string, labels: string, value: number][] = [
      ["cpu_user_seconds_total", "", 3],
      ["cpu_system_seconds_total", "", 2],
      ["memory_cache", "", 11],
      ["memory_mapped_file", "", 12],
      ["memory_max_usage_bytes", "", 13],
      ["memory_failcnt", "", 14],
      ["oom_events_total", "", 15],
      ["processes", "", 16],
      ["threads", "", 17],
      ["threads_max", "", 18],
      ["file_descriptors", "", 19],
      ["sockets", "", 20],
      ["ulimits_soft", 'ulimit="max_open_files"', 21],
      ["blkio_device_usage_total", 'operation="Read"', 22],
      ["fs_writes_bytes_total", 'device="0:0"', 23],
      ["fs_reads_total", 'device="0:0"', 24],
      ["fs_writes_total", 'device="0:0"', 25],
      ["pressure_cpu_waiting_seconds_total", "", 4],
      ["pressure_cpu_stalled_seconds_total", "", 2],
    ];
    for (const [name, labels, value] of series)
      assert.match(
        body,
        new RegExp(`^container_${name}\\{container="c".*${labels}.*\\} ${value} \\d+$`, "m"),
        name,
      );
  }));

test("containers that end are counted by what they end with", () =>
  withPod(async (node) => {
    node.bind({ name: "once", restartPolicy: "Never", containers: [{ name: "crash", image: "i" }] });
    await node.until("once", isReady);
    node.runtime.exit(node.runtime.find("crash")!.id, 139);
    await node.until("once", ({ status }) => status?.phase === "Failed");
    const line =
      /^kubelet_terminated_containers_total\{container_type="container",exit_code="139",reason="Error"\} 1$/m;
    assert.match((await get(node, "/metrics")).body, line);
  }));

test("probes are counted by result, until their container is gone", () =>
  withPod(async (node) => {
    await node.clock.step(1_000);
    const line =
      /^prober_probe_total\{container="c",namespace="default",pod="p",pod_uid="[^"]+",probe_type="Liveness",result="successful"\} \d+$/m;
    await node.eventually("a probe is counted", async () =>
      line.test((await get(node, "/metrics/probes")).body) ? true : undefined,
    );
  }));

test("pods, settings, health and the agent's own metrics are shown; what is not there is a 404", () =>
  withPod(async (node) => {
    assert.equal((await get(node, "/healthz")).body, "ok");
    const pods = JSON.parse((await get(node, "/pods")).body);
    assert.deepEqual(
      [pods.kind, pods.items[0].metadata.name, pods.items[0].status.phase],
      ["PodList", "p", "Running"],
    );
    assert.equal(JSON.parse((await get(node, "/runningpods/")).body).items[0].spec.containers[0].name, "c");
    const { kubeletconfig } = JSON.parse((await get(node, "/configz")).body);
    assert.equal(kubeletconfig.kind, "KubeletConfiguration");
    assert.equal(typeof kubeletconfig.maxPods, "number");
    assert.match(
      (await get(node, "/metrics")).body,
      /^kubelet_running_containers\{container_state="running"\} 1$/m,
    );
    for (const path of [
      "/",
      "/nothing",
      "/stats/",
      "/metrics/nothing",
      "/logs/nothing",
      "/logs/pods/nothing",
      "/logs/../../etc/passwd",
    ])
      assert.equal((await get(node, path)).code, 404, path);
  }));

test("starts of pods and containers are counted, those that fail too, and those of pods with users of their own", async () => {
  await using node = await steppedNode();
  const count = async (name: string) => {
    const line = (await get(node, "/metrics")).body.split("\n").find((each) => each.startsWith(`${name} `));
    return Number(line?.split(" ")[1] ?? 0);
  };
  const containers = [{ name: "c", image: "i", command: ["bogus"] }];
  node.bind({ name: "plain", containers: [{ name: "c", image: "i" }] });
  await node.until("plain", isReady);
  assert.equal(await count("kubelet_started_pods_total"), 1);
  assert.equal(await count("kubelet_started_user_namespaced_pods_total"), 0);
  node.runtime.behaviours = () => ({ startError: { message: "no such file" } });
  node.bind({ name: "users", hostUsers: false, restartPolicy: "Never", containers });
  await node.eventually("it cannot start", async () =>
    (await count(
      'kubelet_started_containers_errors_total{code="RunContainerError",container_type="container"}',
    )) > 0
      ? true
      : undefined,
  );
  assert.equal(await count("kubelet_started_pods_total"), 2);
  assert.equal(await count("kubelet_started_pods_errors_total"), 0);
  assert.equal(await count("kubelet_started_user_namespaced_pods_total"), 1);
  assert.equal(await count("kubelet_started_user_namespaced_pods_errors_total"), 1);
  assert.equal(await count('kubelet_started_containers_total{container_type="container"}'), 2);
});

test("a container's log is read by the names of pod and container", () =>
  withPod(async (node) => {
    node.runtime.writeLog(node.runtime.find("c")!.id, "one\ntwo\n");
    assert.equal((await get(node, "/containerLogs/default/p/c", { tailLines: "1" })).body, "two\n");
    await assert.rejects(get(node, "/containerLogs/default/gone/c"), /pod "gone" does not exist/);
    await assert.rejects(get(node, "/containerLogs/default/p/c", { tailLines: "x" }), /is not an integer/);
  }));

test("the node's logs are listed and read; no link leads out of them", () =>
  withPod(async (node) => {
    const logs = join(node.dir, "logs");
    mkdirSync(join(logs, "a<b"), { recursive: true });
    writeFileSync(join(logs, "a<b", "0.log"), "hello\n");
    symlinkSync("/etc/passwd", join(logs, "out"));
    for (const path of ["/logs", "/logs/"])
      assert.match((await get(node, path)).body, /<a href="pods\/">pods\/<\/a>/);
    const list = await get(node, "/logs/pods/");
    assert.match(list.body, /<a href="a%3Cb\/">a&lt;b\/<\/a>/);
    assert.equal((await get(node, "/logs/pods/a<b/0.log")).body, "hello\n");
    const moved = await get(node, "/logs/pods/a<b");
    assert.deepEqual([moved.code, moved.headers], [301, ["location", "a%3Cb/"]]);
    assert.deepEqual((await get(node, "/logs/pods")).headers, ["location", "pods/"]);
    for (const path of ["/logs/pods/out", "/logs/a<b/0.log", "/logs/pods/../pods"])
      assert.equal((await get(node, path)).code, 404, path);
  }));
