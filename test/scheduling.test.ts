import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { busyboxPod, eventually, TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
let node: string;
before(async () => {
  cluster = await TestCluster.start();
  node = (await cluster.get("nodes")).items[0].metadata.name;
});
after(() => cluster?.purge());

const container = (resources: object = {}) => ({
  name: "main",
  image: "busybox",
  command: ["sh", "-c", "exec sleep 3600"],
  resources,
});
const asking = (cpu: string) => ({ containers: [container({ requests: { cpu } })] });
/** More than half of the node, so that two never fit. */
const most = async () =>
  `${(Number((await cluster.get("node", node)).status.allocatable.cpu) * 1000 * 2) / 3}m`;
const reasonOf = async (pod: string) =>
  (await cluster.get("pod", pod)).status.conditions?.find(
    (c: any) => c.type === "PodScheduled" && c.status === "False",
  )?.message as string | undefined;
const eventsOf = (name: string, reason: string) =>
  cluster.kubectl([
    "get",
    "events",
    `--field-selector=involvedObject.name=${name},reason=${reason}`,
    "-o=jsonpath={.items[*].message}",
  ]);
const disruptionOf = (pod: any) => pod.status.conditions.find((c: any) => c.type === "DisruptionTarget");

test("a pod of a higher priority class takes the place of a lesser one on the node", async () => {
  await cluster.kubectl(["create", "priorityclass", "urgent", "--value=1000", "--description=for tests"]);
  const cpu = await most();
  await cluster.apply(busyboxPod("lesser", "", asking(cpu)));
  await cluster.wait("pod/lesser", "condition=Ready");
  await cluster.apply(
    busyboxPod("urgent", "", {
      ...asking(cpu),
      priorityClassName: "urgent",
      preemptionPolicy: undefined,
      nodeName: undefined,
    }),
  );
  await cluster.wait("pod/lesser", "delete");
  await cluster.wait("pod/urgent", "condition=Ready");
  const { uid } = (await cluster.get("pod", "urgent")).metadata;
  assert.equal(await eventsOf("lesser", "Preempted"), `Preempted by pod ${uid} on node ${node}`);
  await cluster.apply(busyboxPod("waits", "", asking(cpu)));
  const why = await eventually("the reason", () => reasonOf("waits"));
  assert.equal(
    why,
    "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
  );
  await cluster.kubectl(["delete", "pod", "urgent"]);
  await cluster.wait("pod/waits", "condition=Ready");
  await cluster.kubectl(["delete", "pod", "waits"]);
});

test("pods that must not be near each other do not share the node; those that want a topology need one", async () => {
  const away = {
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { labelSelector: { matchLabels: { app: "shy" } }, topologyKey: "kubernetes.io/hostname" },
        ],
      },
    },
  };
  const shy = (name: string) => {
    const pod = busyboxPod(name, "exec sleep 3600", away);
    return { ...pod, metadata: { name, labels: { app: "shy" } } };
  };
  await cluster.apply(shy("shy-1"));
  await cluster.wait("pod/shy-1", "condition=Ready");
  await cluster.apply(shy("shy-2"));
  const message = await eventually("the reason", () => reasonOf("shy-2"));
  assert.match(
    message,
    /^0\/1 nodes are available: 1 node\(s\) didn't match pod anti-affinity rules\. preemption: /,
  );
  assert.match(
    await cluster.kubectl(["describe", "pod", "shy-2"]),
    /Warning +FailedScheduling .*anti-affinity rules/,
  );
  await cluster.kubectl(["delete", "pod", "shy-1"]);
  await cluster.wait("pod/shy-2", "condition=Ready");
  await cluster.kubectl(["delete", "pod", "shy-2"]);

  const spread = {
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: "example.com/rack",
        whenUnsatisfiable: "DoNotSchedule",
        labelSelector: { matchLabels: { app: "racked" } },
      },
    ],
  };
  await cluster.apply(busyboxPod("racked", "exec sleep 3600", spread));
  assert.match(
    await eventually("the reason", () => reasonOf("racked")),
    /didn't match pod topology spread constraints \(missing required label\)/,
  );
  await cluster.kubectl(["label", "node", node, "example.com/rack=1"]);
  await cluster.wait("pod/racked", "condition=Ready");
  await cluster.kubectl(["delete", "pod", "racked"]);
});

test("kubectl drain keeps to the disruption budget, and ends when it is lifted", async () => {
  await cluster.apply({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: { terminationGracePeriodSeconds: 1, containers: [container()] },
      },
    },
  });
  await cluster.kubectl(["create", "pdb", "web", "--selector=app=web", "--min-available=1"]);
  await cluster.kubectl(["rollout", "status", "deployment/web", "--timeout=60s"]);
  await cluster.wait("pdb/web", "jsonpath={.status.disruptionsAllowed}=1");
  assert.match(await cluster.kubectl(["get", "pdb", "web"]), /web +1 +N\/A +1 /);
  const drain = cluster.spawn(["drain", node, "--ignore-daemonsets", "--timeout=60s"]);
  let said = "";
  drain.stderr.on("data", (data) => {
    said += data;
  });
  const ended = new Promise<number | null>((resolve) => drain.on("exit", resolve));
  await eventually("the budget's refusal", async () =>
    said.includes("Cannot evict pod as it would violate the pod's disruption budget."),
  );
  // kubectl asks for all evictions at once: the refusal may be told before the other pod is marked.
  await eventually("just one pod goes", async () => {
    const pods = (await cluster.get("pods", "-l", "app=web")).items;
    return (
      pods.filter(({ metadata, spec }: any) => spec.nodeName && !metadata.deletionTimestamp).length === 1
    );
  });
  assert.match(await cluster.kubectl(["get", "node", node]), /Ready,SchedulingDisabled/);
  await cluster.kubectl(["delete", "pdb", "web"]);
  assert.equal(await ended, 0, said);
  await cluster.kubectl(["uncordon", node]);
  await cluster.kubectl(["rollout", "status", "deployment/web", "--timeout=60s"]);
  await cluster.kubectl(["delete", "deployment", "web"]);
});

test("a NoExecute taint drives pods off the node, at once or when their time is over, unless it is taken back", async () => {
  const tolerating = (tolerationSeconds?: number) => ({
    tolerations: [
      {
        key: "evict",
        operator: "Exists",
        effect: "NoExecute",
        ...(tolerationSeconds && { tolerationSeconds }),
      },
    ],
    terminationGracePeriodSeconds: 1,
  });
  await cluster.apply(busyboxPod("goes", "exec sleep 3600", { terminationGracePeriodSeconds: 1 }));
  // So that what is left can be looked at.
  await cluster.kubectl(["patch", "pod", "goes", "-p", '{"metadata":{"finalizers":["example.com/look"]}}']);
  await cluster.apply(busyboxPod("stays", "exec sleep 3600", tolerating()));
  await cluster.apply(busyboxPod("brief", "exec sleep 3600", tolerating(2)));
  await cluster.apply(busyboxPod("long", "exec sleep 3600", tolerating(600)));
  for (const name of ["goes", "stays", "brief", "long"]) await cluster.wait(`pod/${name}`, "condition=Ready");
  await cluster.kubectl(["taint", "node", node, "evict=now:NoExecute"]);
  const gone = await eventually("the eviction", async () => {
    const pod = await cluster.get("pod", "goes");
    return pod.metadata.deletionTimestamp && pod;
  });
  const { status, reason, message } = disruptionOf(gone);
  assert.deepEqual(
    [status, reason, message],
    ["True", "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"],
  );
  assert.equal(await eventsOf("goes", "TaintManagerEviction"), "Marking for deletion Pod default/goes");
  await cluster.kubectl(["patch", "pod", "goes", "-p", '{"metadata":{"finalizers":null}}']);
  await cluster.wait("pod/brief", "delete");
  await cluster.kubectl(["taint", "node", node, "evict-"]);
  await eventually("the cancellation", async () =>
    (await eventsOf("long", "TaintManagerEviction")).includes("Cancelling deletion of Pod default/long"),
  );
  for (const name of ["stays", "long"]) {
    assert.equal((await cluster.get("pod", name)).metadata.deletionTimestamp, undefined);
    await cluster.kubectl(["delete", "pod", name, "--wait=false"]);
  }
});

test("limit ranges complete and bound pods, quotas bound a namespace", async () => {
  await cluster.kubectl(["create", "namespace", "bounded"]);
  const inBounded = (args: string[]) => cluster.try(["-n", "bounded", ...args]);
  await cluster.apply(
    {
      apiVersion: "v1",
      kind: "LimitRange",
      metadata: { name: "limits" },
      spec: {
        limits: [
          { type: "Container", default: { cpu: "200m" }, defaultRequest: { cpu: "100m" }, max: { cpu: "1" } },
        ],
      },
    },
    ["-n", "bounded"],
  );
  await cluster.kubectl(["-n", "bounded", "create", "quota", "all", "--hard=pods=1,cpu=500m,configmaps=2"]);
  await eventually("the count", async () =>
    /cpu: 0\/500m, pods: 0\/1|pods: 0\/1/.test((await inBounded(["get", "quota", "all"])).stdout),
  );
  await cluster.apply(busyboxPod("first"), ["-n", "bounded"]);
  // As upstream's: a count made between a pod's charge and its being stored lacks it, and is soon made again.
  await eventually("it is counted", async () =>
    (await inBounded(["get", "quota", "all"])).stdout.includes("pods: 1/1"),
  );
  const { resources } = (await cluster.get("pod", "first", "-n", "bounded")).spec.containers[0];
  assert.deepEqual(resources, { limits: { cpu: "200m" }, requests: { cpu: "100m" } });
  const tooLarge = await cluster.try(["-n", "bounded", "apply", "-f", "-"], {
    input: JSON.stringify(busyboxPod("large", "", { containers: [container({ limits: { cpu: "2" } })] })),
  });
  assert.match(tooLarge.stderr, /is forbidden: maximum cpu usage per Container is 1, but limit is 2/);
  const tooMany = await cluster.try(["-n", "bounded", "apply", "-f", "-"], {
    input: JSON.stringify(busyboxPod("second")),
  });
  assert.match(
    tooMany.stderr,
    /pods "second" is forbidden: exceeded quota: all, requested: pods=1, used: pods=1, limited: pods=1/,
  );
  assert.match((await inBounded(["describe", "quota", "all"])).stdout, /pods +1 +1\n/);
  assert.match(
    (await inBounded(["describe", "limits", "limits"])).stdout,
    /Container +cpu +- +1 +100m +200m/,
  );
  await cluster.kubectl(["-n", "bounded", "delete", "pod", "first"]);
  await eventually("room again", async () =>
    (await inBounded(["get", "quota", "all"])).stdout.includes("pods: 0/1"),
  );
  await cluster.apply(busyboxPod("second"), ["-n", "bounded"]);
  await cluster.kubectl(["delete", "namespace", "bounded"]);
});
