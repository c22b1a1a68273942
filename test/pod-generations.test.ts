import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { busyboxPod, eventually, TestCluster } from "./support/cluster.ts";

/** As upstream's test/e2e/node/pods.go and test/e2e_node/deleted_pods_test.go. */
describe("pods' generations and last statuses", { timeout: 240_000 }, () => {
  let cluster: TestCluster;
  let proxy: ChildProcess;
  let url: string;
  before(async () => {
    cluster = await TestCluster.start();
    const spawned = cluster.spawn(["proxy", "--port=0"]);
    proxy = spawned;
    const [line] = await once(spawned.stdout!, "data");
    url = `http://${/127\.0\.0\.1:\d+/.exec(String(line))![0]}/api/v1/namespaces/default/pods`;
  });
  after(async () => {
    proxy?.kill();
    await cluster?.purge();
  });

  /** kubectl takes half a second to start: hundreds of requests go through one proxy. */
  async function request(method: string, path: string, body?: object): Promise<any> {
    const patch = method === "PATCH" && { "content-type": "application/merge-patch+json" };
    const answer = await fetch(url + path, {
      method,
      ...(body && { body: JSON.stringify(body), headers: patch || { "content-type": "application/json" } }),
    });
    return answer.json();
  }
  const pod = (name: string) => request("GET", `/${name}`);
  const until = (name: string, what: string, condition: (pod: any) => boolean) =>
    eventually(`${name}: ${what}`, async () => {
      const object = await pod(name);
      return condition(object) ? object : undefined;
    });
  const isReady = (object: any) => object.status?.containerStatuses?.[0]?.ready === true;

  test("a pod's generation grows with each change of its spec, and with nothing else", async () => {
    const draft = busyboxPod("grows");
    const created = await request("POST", "", {
      ...draft,
      metadata: { name: "grows", generation: 100 },
      spec: { ...draft.spec, initContainers: [{ name: "init", image: "busybox", command: ["true"] }] },
    });
    assert.equal(created.metadata.generation, 1);
    await until("grows", "it is ready", isReady);
    let expected = 1;
    for (const [what, change, grows] of [
      ["nothing", {}, 0],
      [
        "a toleration",
        { spec: { tolerations: [...created.spec.tolerations, { key: "a", operator: "Exists" }] } },
        1,
      ],
      ["a deadline", { spec: { activeDeadlineSeconds: 5_000 } }, 1],
      ["metadata", { metadata: { annotations: { key: "value" } } }, 0],
      ["the generation itself", { metadata: { generation: 1 } }, 0],
    ] as const) {
      await request("PATCH", "/grows", change);
      expected += grows;
      assert.equal((await pod("grows")).metadata.generation, expected, what);
      await until("grows", `${what} is observed`, ({ status }) => status.observedGeneration === expected);
    }
    for (const condition of (await pod("grows")).status.conditions) {
      assert.ok(condition.observedGeneration >= 1, condition.type);
    }
    await request("DELETE", "/grows?gracePeriodSeconds=60");
    const deleted = await pod("grows");
    assert.equal(deleted.metadata.generation ?? expected + 1, expected + 1);
  });

  test("500 changes are all observed in the end", async () => {
    const draft = busyboxPod("changed");
    await request("POST", "", { ...draft, spec: { ...draft.spec, activeDeadlineSeconds: 5_000 } });
    for (let i = 1; i < 500; i++) {
      await request("PATCH", "/changed", { spec: { activeDeadlineSeconds: 5_000 - i } });
    }
    assert.equal((await pod("changed")).metadata.generation, 500);
    await until("changed", "it is observed", ({ status }) => status.observedGeneration === 500);
  });

  test("a negative grace period is one second", async () => {
    const draft = busyboxPod("negative");
    await request("POST", "", { ...draft, spec: { ...draft.spec, terminationGracePeriodSeconds: -1 } });
    assert.equal((await pod("negative")).spec.terminationGracePeriodSeconds, 1);
    const current = await pod("negative");
    await request("PUT", "/negative", {
      ...current,
      spec: { ...current.spec, terminationGracePeriodSeconds: -1 },
    });
    assert.equal((await pod("negative")).spec.terminationGracePeriodSeconds, 1);
  });

  const held = (name: string, change: Record<string, unknown>) => {
    const draft = busyboxPod(name, undefined, change);
    return { ...draft, metadata: { name, finalizers: ["example.com/held"] } };
  };
  const release = (name: string) => request("PATCH", `/${name}`, { metadata: { finalizers: null } });

  test("a pod deleted before it ran has Failed", async () => {
    const [main] = busyboxPod("pending").spec.containers;
    await request("POST", "", held("pending", { containers: [{ ...main, image: "no-such/image:v1" }] }));
    await until("pending", "it is bound", ({ spec }) => spec.nodeName !== undefined);
    await request("DELETE", "/pending");
    const { status } = await until("pending", "it has ended", (object) => object.status.phase === "Failed");
    assert.equal(status.containerStatuses[0].state.terminated.reason, "ContainerStatusUnknown");
    await release("pending");
  });

  for (const restartPolicy of ["Always", "OnFailure", "Never"]) {
    for (const [how, script, phase, exitCode] of [
      ["killed", "trap : TERM; touch /tmp/ready; while true; do sleep 1; done", "Failed", 137],
      ["well", "trap 'exit 0' TERM; touch /tmp/ready; while true; do sleep 0.1; done", "Succeeded", 0],
    ] as const) {
      test(`a deleted pod with policy ${restartPolicy} whose container ends ${how} has ${phase}`, async () => {
        const name = `${how}-${restartPolicy.toLowerCase()}`;
        const readinessProbe = { exec: { command: ["cat", "/tmp/ready"] }, periodSeconds: 1 };
        const container = { name: "main", image: "busybox", command: ["sh", "-c", script], readinessProbe };
        await request("POST", "", held(name, { restartPolicy, containers: [container] }));
        await until(name, "it is ready", isReady);
        await request("DELETE", `/${name}?gracePeriodSeconds=2`);
        const { status } = await until(name, "it has ended", (object) =>
          ["Failed", "Succeeded"].includes(object.status.phase),
        );
        assert.equal(status.phase, phase);
        assert.equal(status.containerStatuses[0].state.terminated.exitCode, exitCode);
        assert.equal(
          status.containerStatuses[0].state.terminated.reason,
          exitCode === 0 ? "Completed" : "Error",
        );
        await release(name);
      });
    }
  }

  test("a pod that is deleted quickly never shows a success that was not", async () => {
    await Promise.all(
      Array.from({ length: 12 }, async (_, i) => {
        const name = `quick-${i}`;
        const container = { name: "fail", image: "busybox", command: ["false"] };
        await request("POST", "", held(name, { restartPolicy: "Never", containers: [container] }));
        await new Promise((resolve) => setTimeout(resolve, i * 40));
        await request("DELETE", `/${name}`);
        const { status } = await until(name, "it has ended", (object) =>
          ["Failed", "Succeeded"].includes(object.status?.phase),
        );
        assert.equal(status.phase, "Failed", name);
        const ended = status.containerStatuses?.[0]?.state.terminated;
        if (ended)
          assert.ok(ended.exitCode === 1 || ended.exitCode === 137, `${name}: ${JSON.stringify(ended)}`);
        await release(name);
      }),
    );
  });
});
