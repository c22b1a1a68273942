import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { busyboxPod, eventually, peapod, TestCluster } from "./support/cluster.ts";

const header = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";
/** A second look after the first must not be what a test waits for. */
const lookS = 40;

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start();
});
after(() => cluster.purge());

/** Stops the agent and starts it with other settings; pods run on. */
async function configure(yaml: string): Promise<void> {
  await cluster.kill();
  writeFileSync(join(cluster.dataDir, "kubelet.yaml"), header + yaml);
  await cluster.up();
}

const isV2 = existsSync("/sys/fs/cgroup/cgroup.controllers");

function readCgroup(cgroup: string, file: string): string | undefined {
  const root = `peapod-${createHash("sha256").update(cluster.dataDir).digest("hex").slice(0, 8)}`;
  const controller = isV2 ? "" : `${file.split(".")[0]}/`;
  const path = `/sys/fs/cgroup/${controller}${root}/${cgroup}/${file}`;
  return existsSync(path) ? readFileSync(path, "utf8").trim() : undefined;
}

const evicted = (name: string) =>
  cluster
    .wait(`pod/${name}`, "jsonpath={.status.reason}=Evicted", lookS)
    .then(() => cluster.get("pod", name));

const writing = (path: string, mebibytes: number) =>
  `dd if=/dev/zero of=${path} bs=1048576 count=${mebibytes} 2>/dev/null; exec sleep 3600`;

test("pods that write more than their limits allow are evicted, and say where", async () => {
  const limits = (size: string) => ({ limits: { "ephemeral-storage": size } });
  const main = (script: string, more: object) => ({
    containers: [{ name: "main", image: "busybox", command: ["sh", "-c", script], ...more }],
  });
  const mounted = { volumeMounts: [{ name: "cache", mountPath: "/cache" }] };
  const cache = (emptyDir: object) => ({ volumes: [{ name: "cache", emptyDir }] });
  const pods = [
    busyboxPod("volume", "", { ...main(writing("/cache/f", 8), mounted), ...cache({ sizeLimit: "5Mi" }) }),
    busyboxPod("below", "", { ...main(writing("/cache/f", 3), mounted), ...cache({ sizeLimit: "5Mi" }) }),
    busyboxPod("layer", "", main(writing("/file", 8), { resources: limits("5Mi") })),
    busyboxPod(
      "logs",
      "",
      main('yes "a line of a log that never ends" | head -c 8000000; exec sleep 3600', {
        resources: limits("5Mi"),
      }),
    ),
    busyboxPod("one-of-two", "", {
      containers: [
        ...main(writing("/file", 8), { resources: limits("5Mi") }).containers,
        { ...main("exec sleep 3600", { resources: limits("1Gi") }).containers[0], name: "other" },
      ],
    }),
  ];
  for (const pod of pods) await cluster.apply(pod);
  const message = async (name: string) => (await evicted(name)).status.message;
  const [volume, layer, logs, oneOfTwo] = await Promise.all(
    ["volume", "layer", "logs", "one-of-two"].map(message),
  );
  assert.equal(volume, 'Usage of EmptyDir volume "cache" exceeds the limit "5Mi". ');
  const ofPod = "Pod ephemeral local storage usage exceeds the total limit of containers 5Mi. ";
  assert.equal(layer, ofPod);
  assert.equal(logs, ofPod);
  assert.equal(oneOfTwo, 'Container main exceeded its local ephemeral storage limit "5Mi". ');
  const events = await cluster.kubectl(["events", "--for", "pod/volume"]);
  assert.match(events, /Warning +Evicted +Pod\/volume +Usage of EmptyDir volume/);
  assert.equal((await cluster.get("pod", "below")).status.phase, "Running");
  await cluster.kubectl(["delete", "pod", "--all", "--now"]);
});

test("a node short of memory says so, evicts by priority, and refuses pods that ask for nothing", async () => {
  const asking = (name: string, more: Record<string, unknown> = {}) => {
    const pod = busyboxPod(name, "exec sleep 3600", more);
    const [container] = pod.spec.containers as object[];
    pod.spec.containers = [{ ...container, resources: { requests: { memory: "64Mi" } } }] as never;
    return pod;
  };
  // Pods are placed by hand: the scheduler avoids a node under pressure.
  const { nodeName } = (
    await (async () => {
      await cluster.apply(asking("first"));
      await cluster.wait("pod/first", "condition=Ready");
      return cluster.get("pod", "first");
    })()
  ).spec;
  await cluster.apply(asking("critical", { priorityClassName: "system-node-critical" }), [
    "-n",
    "kube-system",
  ]);
  await cluster.kubectl(["wait", "-n", "kube-system", "pod/critical", "--for=condition=Ready"]);
  // No machine has so much: it is short from the start.
  await configure(
    "evictionSoft: {memory.available: 1Ei}\nevictionSoftGracePeriod: {memory.available: 1s}\nevictionMaxPodGracePeriod: 1\n",
  );
  await cluster.wait(`node/${nodeName}`, "condition=MemoryPressure");
  const pod = await evicted("first");
  assert.match(
    pod.status.message,
    /^The node was low on resource: memory\. Threshold quantity: 1Ei, available: \d+/,
  );
  const disruption = pod.status.conditions.find(({ type }: { type: string }) => type === "DisruptionTarget");
  assert.equal(disruption.reason, "TerminationByKubelet");
  await cluster.apply(busyboxPod("refused", "exec sleep 3600", { nodeName }));
  const refused = await evicted("refused");
  assert.equal(refused.status.message, "Pod was rejected: The node had condition: [MemoryPressure]. ");
  const critical = await cluster.get("pod", "critical", "-n", "kube-system");
  assert.equal(critical.status.phase, "Running");
});

test("a pod that fills what all pods may use is evicted before the kernel has to kill", async () => {
  const { capacity } = (await cluster.get("nodes")).items[0].status;
  const capacityKi = Number(/^(\d+)Ki$/.exec(capacity.memory)![1]);
  // Leaves 300 MiB for all pods, of which the last 100 are for nobody.
  await configure(`kubeReserved: {memory: ${capacityKi - 300 * 1_024}Ki}\n`);
  const fill =
    "for i in $(seq 100); do dd if=/dev/zero of=/memory/$i bs=1048576 count=5 2>/dev/null; sleep 0.2; done";
  const [container] = busyboxPod("filling", fill).spec.containers;
  await cluster.apply({
    ...busyboxPod("filling", fill, {
      containers: [{ ...container, volumeMounts: [{ name: "memory", mountPath: "/memory" }] }],
      volumes: [{ name: "memory", emptyDir: { medium: "Memory" } }],
      tolerations: [{ operator: "Exists" }],
    }),
  });
  const pod = await evicted("filling");
  assert.match(
    pod.status.message,
    /^The node was low on resource: memory\. Threshold quantity: 100Mi, available: \d+(Ki|Mi)?\. Container main was using \d+(Ki|Mi)?, request is 0, has larger consumption of memory\. $/,
  );
  assert.notEqual(pod.status.containerStatuses[0].state.terminated.reason, "OOMKilled");
});

test("what is set aside is not for pods to ask for", async () => {
  await configure(
    "kubeReserved: {cpu: 200m, memory: 100Mi}\nsystemReserved: {cpu: 100m}\npodPidsLimit: 50\n",
  );
  const { allocatable, capacity } = (await cluster.get("nodes")).items[0].status;
  assert.equal(allocatable.cpu, `${Number(capacity.cpu) * 1_000 - 300}m`);
  const ki = (quantity: string) => Number(/^(\d+)Ki$/.exec(quantity)![1]);
  // 100Mi, and as much again below which pods are evicted.
  assert.equal(ki(capacity.memory) - ki(allocatable.memory), 200 * 1_024);
  const memoryMax = `${(ki(capacity.memory) - 100 * 1_024) * 1_024}`;
  await eventually(
    "the limit of all pods is written",
    async () => readCgroup("kubepods", isV2 ? "memory.max" : "memory.limit_in_bytes") === memoryMax,
  );
  await cluster.apply(busyboxPod("crowded"));
  await cluster.wait("pod/crowded", "condition=Ready");
  const { uid } = (await cluster.get("pod", "crowded")).metadata;
  assert.equal(readCgroup(`kubepods/besteffort/pod${uid}`, "pids.max"), "50");
  assert.equal(readCgroup("kubepods/besteffort", isV2 ? "cpu.weight" : "cpu.shares"), isV2 ? "1" : "2");
  const forks = "for i in $(seq 60); do sleep 60 & done; echo all";
  const {
    exitCode: failed,
    stdout,
    stderr: why,
  } = await cluster.try(["exec", "crowded", "--", "sh", "-c", forks]);
  assert.ok(failed !== 0 || !stdout.includes("all"), "no pod has more processes than it may");
  assert.match(why, /can't fork|Resource temporarily unavailable/);
  await cluster.kill();
  writeFileSync(join(cluster.dataDir, "kubelet.yaml"), `${header}kubeReserved: {memory: 1Ei}\n`);
  const { exitCode, stderr } = await peapod(["up", "--data-dir", cluster.dataDir]);
  assert.equal(exitCode, 1);
  assert.match(
    stderr,
    /Resource "memory" has a reservation of 1Ei but capacity of .* Expected capacity >= reservation/,
  );
});
