import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { busyboxPod, type TestCluster as Cluster, eventually, TestCluster } from "./support/cluster.ts";

const timeout = 120_000;
let cluster: Cluster;
let node: string;

before(async () => {
  cluster = await TestCluster.start();
  node = (await cluster.get("nodes")).items[0].metadata.name;
  const web = busyboxPod("web", "", {
    containers: [
      {
        name: "web",
        image: "busybox",
        ports: [{ containerPort: 8080 }],
        command: [
          "sh",
          "-c",
          `mkdir /www && echo '<a href="/next">' >/www/index.html && httpd -f -p 8080 -h /www`,
        ],
        resources: { limits: { cpu: "500m", memory: "64Mi" } },
      },
      // Busy, a little.
      {
        name: "busy",
        image: "busybox",
        command: ["sh", "-c", "while :; do :; done"],
        resources: { limits: { cpu: "50m", memory: "32Mi" } },
      },
    ],
  });
  Object.assign(web.metadata, { labels: { app: "web" } });
  await cluster.apply(web);
  await cluster.apply(busyboxPod("idle"));
  await Promise.all(["web", "idle"].map((name) => cluster.wait(`pod/${name}`, "condition=Ready")));
});
after(() => cluster?.purge());

const raw = (path: string) => cluster.kubectl(["get", "--raw", path]);

test("kubectl top shows what pods, their containers and nodes use", { timeout }, async () => {
  const pods = await cluster.kubectl(["top", "pod"]);
  assert.match(pods, /^NAME +CPU\(cores\) +MEMORY\(bytes\) *\nidle +\d+m +\d+Mi *\nweb +\d+m +\d+Mi *\n$/);
  const containers = await cluster.kubectl(["top", "pod", "-A", "--containers", "--sum", "-l", "app=web"]);
  const busy = /^default +web +busy +(\d+)m +\d+Mi/m.exec(containers);
  // It has a twentieth of a processor, and takes it.
  assert.ok(busy && Number(busy[1]) >= 20 && Number(busy[1]) <= 100, containers);
  assert.match(containers, /^default +web +web +\d+m +\d+Mi/m);
  assert.doesNotMatch(containers, /idle/);
  assert.match(await cluster.kubectl(["top", "pod", "web"]), /^web +\d+m/m);
  const nodes = await cluster.kubectl(["top", "node"]);
  assert.match(nodes, new RegExp(`^${node} +\\d+m +\\d+% +\\d+Mi +\\d+%`, "m"));
  for (const version of ["1.28", "1.31"] as const)
    assert.match(await cluster.kubectl(["top", "pod", "web"], { version }), /^web +\d+m/m);
  assert.match(await cluster.kubectl(["get", "pods.metrics.k8s.io"]), /^NAME +CPU +MEMORY +WINDOW\n/);
  const { stderr } = await cluster.try(["top", "pod", "nobody"]);
  assert.match(stderr, /pods(\.metrics\.k8s\.io)? "(default\/)?nobody" not found/);
});

test("a node's summary and metrics are what its cgroups say", { timeout }, async () => {
  const summary = JSON.parse(await raw(`/api/v1/nodes/${node}/proxy/stats/summary`));
  const pod = summary.pods.find(({ podRef }: any) => podRef.name === "web");
  const busy = pod.containers.find(({ name }: any) => name === "busy");
  assert.ok(busy.cpu.usageNanoCores > 1e7 && busy.cpu.usageNanoCores < 2e8, JSON.stringify(busy.cpu));
  assert.ok(busy.memory.workingSetBytes > 0 && busy.memory.availableBytes < 32 * 1024 * 1024);
  assert.ok(pod.memory.usageBytes >= busy.memory.usageBytes);
  assert.ok(pod.network.name === "eth0" && pod.network.rxBytes > 0, JSON.stringify(pod.network));
  assert.ok(pod.process_stats.process_count >= 2);
  assert.ok(
    pod.containers.every(({ rootfs, logs }: any) => rootfs.capacityBytes > 0 && logs.capacityBytes > 0),
  );
  assert.ok(summary.node.fs.availableBytes > 0 && summary.node.memory.workingSetBytes > 0);
  const resource = await raw(`/api/v1/nodes/${node}/proxy/metrics/resource`);
  assert.match(
    resource,
    /^container_memory_working_set_bytes\{container="busy",namespace="default",pod="web"\} /m,
  );
  const cadvisor = await raw(`/api/v1/nodes/${node}:10250/proxy/metrics/cadvisor`);
  assert.match(cadvisor, /^container_network_receive_bytes_total\{.*interface="eth0".*pod="web"\} /m);
  assert.match(
    cadvisor,
    /^container_cpu_usage_seconds_total\{container="busy",cpu="total",id="\/kubepods\/pod/m,
  );
});

test("a node's logs are read through the API server", { timeout }, async () => {
  assert.match(await raw(`/api/v1/nodes/${node}/proxy/logs/`), /<a href="pods\/">/);
  const list = await raw(`/api/v1/nodes/${node}/proxy/logs/pods/`);
  const folder = /href="(default_web_[^"]+\/)"/.exec(list)?.[1];
  assert.ok(folder, list);
  const log = await raw(`/api/v1/nodes/${node}/proxy/logs/pods/${folder}web/0.log`);
  assert.equal(log, "");
  assert.equal(await raw(`/api/v1/nodes/${node}/proxy/healthz`), "ok");
});

test("what a pod said is still there when it is gone", { timeout }, async () => {
  await cluster.apply(busyboxPod("brief", "echo last words; exec sleep 3600"));
  await eventually("it has spoken", async () =>
    (await cluster.kubectl(["logs", "brief"])).includes("last words\n"),
  );
  const { uid } = (await cluster.get("pod", "brief")).metadata;
  await cluster.kubectl(["delete", "pod", "brief", "--grace-period=0", "--force"]);
  await eventually("the pod is gone", async () =>
    (await cluster.try(["get", "pod", "brief"])).stderr.includes("not found") ? true : undefined,
  );
  const log = await raw(`/api/v1/nodes/${node}/proxy/logs/pods/default_brief_${uid}/main/0.log`);
  assert.match(log, / stdout F last words\n/);
});

test("what listens in a pod is reached by its proxy, and by kubectl proxy", { timeout }, async () => {
  const base = "/api/v1/namespaces/default/pods";
  // The page's own links lead below the proxy.
  assert.equal(await raw(`${base}/web/proxy/`), `<a href="${base}/web/proxy/next">\n`);
  assert.equal(
    await raw(`${base}/http:web:8080/proxy/index.html`),
    `<a href="${base}/http:web:8080/proxy/next">\n`,
  );
  const { stderr } = await cluster.try(["get", "--raw", `${base}/web:81/proxy/`]);
  assert.match(stderr, /error trying to reach service: .*refused/);
  const proxy = cluster.spawn(["proxy", "--port=0"]);
  try {
    const port = await eventually("kubectl proxy tells its port", async () => {
      const [chunk] = await new Promise<[Buffer]>((resolve) =>
        proxy.stdout.once("data", (data) => resolve([data])),
      );
      return /127\.0\.0\.1:(\d+)/.exec(String(chunk))?.[1];
    });
    const response = await fetch(`http://127.0.0.1:${port}${base}/web/proxy/`);
    assert.equal(await response.text(), `<a href="${base}/web/proxy/next">\n`);
    assert.match(await (await fetch(`http://127.0.0.1:${port}/api/`)).text(), /"APIVersions"/);
  } finally {
    proxy.kill();
  }
});

test("kubectl proxy on a socket of a file", { timeout }, async () => {
  const dir = mkdtempSync(join(tmpdir(), "peapod-proxy-"));
  const socketPath = join(dir, "socket");
  const proxy = cluster.spawn(["proxy", `--unix-socket=${socketPath}`]);
  try {
    const body = await eventually("it answers", async () => {
      const response = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
        request({ socketPath, path: "/api/" }, resolve).once("error", reject).end();
      });
      return text(response);
    });
    assert.match(body, /"APIVersions"/);
  } finally {
    proxy.kill();
    rmSync(dir, { recursive: true, force: true });
  }
});
