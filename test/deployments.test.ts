import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start();
});
after(() => cluster?.purge());

const deployment = (name: string, change: object = {}) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: "main",
            image: "busybox",
            command: ["sleep", "3600"],
            env: [{ name: "VERSION", value: "1" }],
          },
        ],
      },
    },
    ...change,
  },
});

const podsOf = async (app: string) => (await cluster.get("pods", "-l", `app=${app}`)).items as any[];

test("a deleted pod of a Deployment comes back with another name, uid and IP", async () => {
  await cluster.apply(deployment("web"));
  await cluster.kubectl(["rollout", "status", "deployment/web", "--timeout=60s"]);
  const before = await podsOf("web");
  assert.equal(before.length, 3);
  const victim = before[0];
  await cluster.kubectl(["delete", "pod", victim.metadata.name]);
  await cluster.kubectl(["rollout", "status", "deployment/web", "--timeout=60s"]);
  const newcomer = await eventually("the new pod", async () => {
    const now = await podsOf("web");
    const fresh = now.find((pod) => !before.some((b) => b.metadata.uid === pod.metadata.uid));
    return fresh?.status.podIP && now.length === 3 && fresh;
  });
  assert.notEqual(newcomer.metadata.name, victim.metadata.name);
  assert.notEqual(newcomer.status.podIP, victim.status.podIP);
  assert.match(await cluster.kubectl(["get", "deployment", "web"]), /web +3\/3 +3 +3/);
});

test("a rolling update replaces every pod, and undo brings the old template back", async () => {
  await cluster.apply(deployment("rolls"));
  await cluster.kubectl(["rollout", "status", "deployment/rolls", "--timeout=60s"]);
  const { metadata } = await cluster.get("deployment", "rolls");
  const revision = "deployment.kubernetes.io/revision";
  assert.deepEqual(
    [metadata.generation, metadata.annotations[revision]],
    [1, "1"],
    "only users change what they ask for",
  );
  const first = new Set((await podsOf("rolls")).map((pod) => pod.metadata.uid));
  await cluster.kubectl(["set", "env", "deployment/rolls", "VERSION=2"]);
  await cluster.kubectl(["rollout", "status", "deployment/rolls", "--timeout=60s"]);
  await eventually("only new pods", async () => {
    const pods = await podsOf("rolls");
    return (
      pods.length === 3 &&
      pods.every((pod) => !first.has(pod.metadata.uid) && pod.spec.containers[0].env[0].value === "2")
    );
  });
  assert.match(await cluster.kubectl(["rollout", "history", "deployment/rolls"]), /\n1 .*\n2 /);
  await cluster.kubectl(["rollout", "undo", "deployment/rolls"]);
  await cluster.kubectl(["rollout", "status", "deployment/rolls", "--timeout=60s"]);
  assert.equal((await cluster.get("deployment", "rolls")).spec.template.spec.containers[0].env[0].value, "1");
  const sets = (await cluster.get("replicasets", "-l", "app=rolls")).items;
  assert.equal(sets.length, 2, "undo reuses the first ReplicaSet");
  assert.deepEqual(
    sets.map((rs: any) => rs.metadata.annotations["deployment.kubernetes.io/revision"]).sort(),
    ["2", "3"],
  );
});

test("rollout restart replaces the pods, scale changes their number", async () => {
  await cluster.apply(deployment("scales", { replicas: 2 }));
  await cluster.kubectl(["rollout", "status", "deployment/scales", "--timeout=60s"]);
  const before = new Set((await podsOf("scales")).map((pod) => pod.metadata.uid));
  await cluster.kubectl(["rollout", "restart", "deployment/scales"]);
  await cluster.kubectl(["rollout", "status", "deployment/scales", "--timeout=60s"]);
  await eventually("other pods", async () =>
    (await podsOf("scales")).every((pod) => !before.has(pod.metadata.uid)),
  );
  await cluster.kubectl(["scale", "deployment/scales", "--replicas=4"]);
  await cluster.kubectl(["rollout", "status", "deployment/scales", "--timeout=60s"]);
  assert.equal((await podsOf("scales")).length, 4);
  await cluster.kubectl(["scale", "deployment/scales", "--replicas=0"]);
  await eventually("no pods", async () => (await podsOf("scales")).length === 0);
});

test("Recreate ends the old pods before it starts new ones", async () => {
  await cluster.apply(deployment("recreates", { replicas: 2, strategy: { type: "Recreate" } }));
  await cluster.kubectl(["rollout", "status", "deployment/recreates", "--timeout=60s"]);
  await cluster.kubectl(["set", "env", "deployment/recreates", "VERSION=2"]);
  await cluster.kubectl(["rollout", "status", "deployment/recreates", "--timeout=60s"]);
  assert.equal((await podsOf("recreates")).filter((pod) => !pod.metadata.deletionTimestamp).length, 2);
});

test("deleting a Deployment takes its ReplicaSets and pods along; orphaning leaves them", async () => {
  await cluster.apply(deployment("goes", { replicas: 1 }));
  await cluster.apply(deployment("orphans", { replicas: 1 }));
  for (const name of ["goes", "orphans"])
    await cluster.kubectl(["rollout", "status", `deployment/${name}`, "--timeout=60s"]);
  await cluster.kubectl(["delete", "deployment", "goes"]);
  await eventually("everything gone", async () => (await podsOf("goes")).length === 0);
  assert.equal((await cluster.get("replicasets", "-l", "app=goes")).items.length, 0);
  await cluster.kubectl(["delete", "deployment", "orphans", "--cascade=orphan"]);
  const [rs] = (await cluster.get("replicasets", "-l", "app=orphans")).items;
  assert.equal(rs.metadata.ownerReferences, undefined);
  assert.equal((await podsOf("orphans")).length, 1);
  await cluster.kubectl(["delete", "replicaset", rs.metadata.name, "--cascade=foreground"]);
  assert.equal((await podsOf("orphans")).length, 0, "foreground deletion waits for the pods");
});

test("a namespace goes with everything in it, and a new one has its service account", async () => {
  await cluster.kubectl(["create", "namespace", "short-lived"]);
  await eventually(
    "the default service account",
    async () => (await cluster.try(["get", "serviceaccount", "default", "-n", "short-lived"])).exitCode === 0,
  );
  await cluster.apply(deployment("inside", { replicas: 2 }), ["-n", "short-lived"]);
  await cluster.kubectl(["rollout", "status", "deployment/inside", "-n", "short-lived", "--timeout=60s"]);
  await cluster.kubectl(["delete", "namespace", "short-lived", "--timeout=60s"]);
  assert.match(
    (await cluster.try(["get", "namespace", "short-lived"])).stderr,
    /namespaces "short-lived" not found/,
  );
});
