import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually, TestCluster } from "./support/cluster.ts";

const template = (labels: Record<string, string>) => ({
  metadata: { labels },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: "main", image: "busybox", command: ["sleep", "3600"] }],
  },
});

/** As upstream's test/e2e/apps/rc.go and test/e2e/common/node/podtemplates.go. */
describe("replication controllers and pod templates", { timeout: 240_000 }, () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.start();
  });
  after(() => cluster?.purge());

  const podsOf = async (app: string) => (await cluster.get("pods", "-l", `app=${app}`)).items as any[];
  const make = (name: string, replicas: number) =>
    cluster.apply({
      apiVersion: "v1",
      kind: "ReplicationController",
      metadata: { name },
      spec: { replicas, template: template({ app: name }) },
    });

  test("keep as many pods as asked for, and kubectl shows them", async () => {
    await make("web", 2);
    await cluster.wait("rc/web", "jsonpath={.status.readyReplicas}=2");
    const rows = (await cluster.kubectl(["get", "rc", "web", "-o", "wide"])).split("\n");
    assert.match(rows[0]!, /^NAME +DESIRED +CURRENT +READY +AGE +CONTAINERS +IMAGES +SELECTOR/);
    assert.match(rows[1]!, /^web +2 +2 +2 +\S+ +main +busybox +app=web/);
    const described = await cluster.kubectl(["describe", "rc", "web"]);
    assert.match(described, /^Replicas: +2 current \/ 2 desired$/m);
    assert.match(described, /^Pods Status: +2 Running \/ 0 Waiting \/ 0 Succeeded \/ 0 Failed$/m);
    assert.match(described, /Normal +SuccessfulCreate .* replication-controller +Created pod: web-/);
    const [pod] = await podsOf("web");
    await cluster.kubectl(["delete", "pod", pod.metadata.name]);
    await eventually("another takes its place", async () => {
      const pods = await podsOf("web");
      return pods.length === 2 && pods.every(({ metadata }) => metadata.name !== pod.metadata.name);
    });
  });

  test("are scaled, and leave their pods when asked to", async () => {
    await make("scaled", 1);
    await cluster.kubectl(["scale", "rc", "scaled", "--replicas=3"]);
    await cluster.wait("rc/scaled", "jsonpath={.status.readyReplicas}=3");
    const scale = JSON.parse(
      await cluster.kubectl([
        "get",
        "--raw",
        "/api/v1/namespaces/default/replicationcontrollers/scaled/scale",
      ]),
    );
    assert.deepEqual({ ...scale.spec, ...scale.status }, { replicas: 3, selector: "app=scaled" });
    await cluster.kubectl(["scale", "rc", "scaled", "--replicas=1"]);
    await cluster.wait("rc/scaled", "jsonpath={.status.replicas}=1");
    await cluster.kubectl(["delete", "rc", "scaled", "--cascade=orphan"]);
    const left = (await podsOf("scaled")).filter(({ metadata }) => !metadata.deletionTimestamp);
    assert.equal(left.length, 1);
    assert.equal(left[0].metadata.ownerReferences, undefined);
    await make("scaled", 1);
    await eventually("the pod is adopted", async () => {
      const [pod] = (await podsOf("scaled")).filter(
        ({ metadata }) => metadata.name === left[0].metadata.name,
      );
      return pod?.metadata.ownerReferences?.[0].kind === "ReplicationController";
    });
    await cluster.kubectl(["label", "pod", left[0].metadata.name, "app=released", "--overwrite"]);
    await eventually(
      "it is released",
      async () => (await podsOf("released"))[0]?.metadata.ownerReferences === undefined,
    );
    await cluster.kubectl(["delete", "rc", "scaled"]);
    await eventually("its pods go with it", async () => (await podsOf("scaled")).length === 0);
  });

  test("a pod template is kept, changed and listed", async () => {
    await cluster.apply({
      apiVersion: "v1",
      kind: "PodTemplate",
      metadata: { name: "worker", labels: { kind: "template" } },
      template: template({ app: "worker" }),
    });
    const rows = (await cluster.kubectl(["get", "podtemplates"])).split("\n");
    assert.match(rows[0]!, /^NAME +CONTAINERS +IMAGES +POD LABELS/);
    assert.match(rows[1]!, /^worker +main +busybox +app=worker/);
    await cluster.kubectl(["patch", "podtemplate", "worker", "-p", '{"metadata":{"labels":{"more":"yes"}}}']);
    assert.equal((await cluster.get("podtemplate", "worker")).metadata.labels.more, "yes");
    await cluster.kubectl(["delete", "podtemplate", "-l", "kind=template"]);
    assert.equal((await cluster.get("podtemplates")).items.length, 0);
  });
});
