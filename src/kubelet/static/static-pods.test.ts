import assert from "node:assert/strict";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { filesSettled } from "../testing/files-settled.ts";
import { startNode, type TestNode } from "../testing/node.ts";
import { isReady, remove, statusOf, steppedNode } from "../testing/stepped-node.ts";

const manifest = (name: string, image = "one", spec: Partial<corev1.PodSpec> = {}) =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: name } },
    spec: { containers: [{ name: "c", image }], ...spec },
  });

/** Whole at once, as a tool for configuration does it. */
async function put(node: TestNode, file: string, text: string): Promise<void> {
  await writeFile(join(node.dir, file), text);
  await rename(join(node.dir, file), join(node.manifests, file));
}

const drop = (node: TestNode, file: string) => rm(join(node.manifests, file));

test("a manifest's pod runs, and a mirror named for the node shows it", async () => {
  await using node = await startNode();
  await put(
    node,
    "web.yaml",
    "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers: [{name: c, image: i}]\n",
  );
  const mirror = await node.until("web-node-1", isReady);
  const { annotations, generation, ownerReferences, uid } = mirror.metadata;
  const hash = annotations!["kubernetes.io/config.hash"]!;
  assert.match(hash, /^[0-9a-f]{32}$/);
  assert.notEqual(uid, hash);
  assert.equal(annotations!["kubernetes.io/config.mirror"], hash);
  assert.equal(annotations!["kubernetes.io/config.source"], "file");
  assert.equal(ownerReferences![0]!.kind, "Node");
  assert.equal(ownerReferences![0]!.controller, true);
  assert.equal(mirror.spec!.nodeName, "node-1");
  assert.deepEqual(mirror.spec!.tolerations, [{ operator: "Exists", effect: "NoExecute" }]);
  assert.equal(generation, undefined, "of a pod that only its node changes");
  assert.equal(mirror.status!.observedGeneration, undefined);
  assert.equal(node.runtime.find("c")!.labels["io.kubernetes.pod.uid"], hash);
});

test("a mirror that is deleted is made again, and its pod does not notice", async () => {
  await using node = await startNode();
  await put(node, "web.json", manifest("web"));
  for (const graceS of [30, 0]) {
    const { uid } = (await node.until("web-node-1", isReady)).metadata;
    await remove(node, "web-node-1", graceS);
    await node.until("web-node-1", (pod) => pod.metadata.uid !== uid && isReady(pod));
  }
  assert.equal((await node.runtime.listContainers()).length, 1);
  assert.equal(statusOf(node.pod("web-node-1")!, "c")!.restartCount, 0);
});

test("a changed manifest is another pod, which starts when the one before has ended", async () => {
  await using node = await startNode();
  node.runtime.behaviours = () => ({ stopAfterMs: 300 });
  await put(node, "web.json", manifest("web"));
  const first = await node.until("web-node-1", isReady);
  await put(node, "web.json", manifest("web", "two"));
  await node.eventually("it is being stopped", () =>
    node.seen.some(({ reason }) => reason === "Killing") ? true : undefined,
  );
  assert.equal(node.pod("web-node-1")!.metadata.uid, first.metadata.uid, "the mirror stays as long");
  for (let i = 0; i < 20; i++) await put(node, "web.json", manifest("web", `image-${i}`));
  await put(node, "web.json", manifest("web", "three"));
  const last = await node.until(
    "web-node-1",
    (pod) => pod.spec!.containers[0]!.image === "three" && isReady(pod),
  );
  assert.notEqual(last.metadata.uid, first.metadata.uid);
  assert.equal((await node.runtime.listContainers()).length, 1);
});

test("a manifest that goes ends its pod in its grace period, and the mirror last", async () => {
  await using node = await startNode();
  let hasSignal = false;
  node.runtime.behaviours = () => ({ stopAfterMs: 300 });
  await put(node, "web.json", manifest("web", "one", { terminationGracePeriodSeconds: 20 }));
  await node.until("web-node-1", isReady);
  await drop(node, "web.json");
  await node.eventually("it is being stopped", () => {
    hasSignal ||= node.seen.some(({ message }) => message === "Stopping container c");
    return hasSignal ? true : undefined;
  });
  assert.ok(node.pod("web-node-1"));
  await node.untilGone("web-node-1");
  await node.eventually("nothing is left", async () =>
    (await node.runtime.listPodSandboxes()).length === 0 ? true : undefined,
  );
});

test("a manifest that comes back while its pod ends runs it again, as a restart", async () => {
  await using node = await startNode();
  node.runtime.behaviours = ({ metadata }) => ({ stopAfterMs: metadata.attempt === 0 ? 300 : 0 });
  await put(node, "web.json", manifest("web"));
  await node.until("web-node-1", isReady);
  await drop(node, "web.json");
  await node.eventually("it is being stopped", () =>
    node.seen.some(({ reason }) => reason === "Killing") ? true : undefined,
  );
  await put(node, "web.json", manifest("web"));
  await node.until("web-node-1", (pod) => statusOf(pod, "c")?.restartCount === 1 && isReady(pod));
});

test("static pods run while the API is away, and are shown when it is back", async () => {
  await using node = await startNode();
  node.api.failure = () => new Error("the server is away");
  await put(node, "web.json", manifest("web"));
  await node.eventually("it runs", () => (node.runtime.find("c")?.state === "running" ? true : undefined));
  node.api.failure = undefined;
  await node.until("web-node-1", isReady);
});

test("after a restart of the agent a static pod runs on, and one whose manifest has gone is ended", async () => {
  await using node = await startNode();
  await put(node, "stays.json", manifest("stays"));
  await put(node, "goes.json", manifest("goes"));
  await node.until("stays-node-1", isReady);
  await node.until("goes-node-1", isReady);
  const [before] = [node.runtime.find("c", "stays-node-1")!];
  await node.stop();
  await drop(node, "goes.json");
  await node.start();
  await node.untilGone("goes-node-1");
  await node.eventually("only one runs", async () =>
    (await node.runtime.listContainers()).length === 1 ? true : undefined,
  );
  assert.equal(node.runtime.find("c", "stays-node-1")!.id, before.id);
});

test("after a restart of the agent a static pod is shown as it was, though its probes begin anew", async () => {
  await using node = await steppedNode();
  const probe = { exec: { command: ["true"] }, initialDelaySeconds: 1, periodSeconds: 1 };
  const containers = [{ name: "c", image: "i", startupProbe: probe, readinessProbe: probe }];
  await put(node, "web.json", manifest("web", "i", { containers }));
  const before = await node.eventually("it is ready", async () => {
    await filesSettled();
    await node.clock.step(500);
    const mirror = node.pod("web-node-1");
    return mirror && isReady(mirror) ? mirror : undefined;
  });
  await node.stop();
  await node.clock.step(20_000);
  const requests = node.api.requests.length;
  await node.start();
  for (let i = 0; i < 10; i++) {
    await filesSettled();
    await node.clock.step(500);
  }
  assert.deepEqual(node.pod("web-node-1")!.status, before.status);
  const writes = node.api.requests.slice(requests).filter(({ resource, verb }) => {
    return resource.resource === "pods" && verb === "patch";
  });
  assert.deepEqual(writes, []);
});

for (const [what, text, why] of [
  ["no YAML", "{", /not used: /],
  ["another kind", '{"apiVersion":"v1","kind":"Secret"}', /couldn't parse as pod: it is a Secret of v1/],
  ["no name", manifest(""), /name is needed for the pod/],
  ["no container", manifest("p", "i", { containers: [] }), /spec\.containers: Required value/],
  [
    "a Secret",
    manifest("p", "i", { volumes: [{ name: "v", secret: { secretName: "s" } }] }),
    /static pods may not reference secrets/,
  ],
] as const) {
  test(`a manifest with ${what} is told of, and disturbs no other`, async () => {
    await using node = await startNode();
    await put(node, "bad.yaml", text);
    await put(node, "good.yaml", manifest("good"));
    await node.until("good-node-1", isReady);
    const told = node.seen.filter(({ reason }) => reason === "FailedValidation");
    assert.equal(told.length, 1);
    assert.match(told[0]!.message, /^Static pod manifest bad\.yaml is not used: /);
    assert.match(told[0]!.message, why);
  });
}

test("a manifest that is invalid for a moment leaves its pod running", async () => {
  await using node = await startNode();
  await put(node, "web.json", manifest("web"));
  await node.until("web-node-1", isReady);
  await put(node, "web.json", "{ half a file");
  await node.eventually("it is told", () =>
    node.seen.some(({ reason }) => reason === "FailedValidation") ? true : undefined,
  );
  assert.ok(isReady(node.pod("web-node-1")!));
  await put(node, "web.json", manifest("web", "two"));
  await node.until("web-node-1", (pod) => pod.spec!.containers[0]!.image === "two" && isReady(pod));
});

test("a manifest that stays invalid ends its pod, with its mirror, and no other; valid again, it runs again", async () => {
  await using node = await steppedNode();
  const passes = (seconds: number) => node.clock.step(seconds * 1_000);
  const stepped = async (what: string, look: () => unknown) =>
    node.eventually(what, async () => {
      await filesSettled();
      await passes(0.1);
      return look() ? true : undefined;
    });
  const readyPod = (name: string) => {
    const pod = node.pod(name);
    return pod !== undefined && isReady(pod);
  };
  await put(node, "web.json", manifest("web"));
  await put(node, "other.json", manifest("other"));
  await stepped("both are ready", () => readyPod("web-node-1") && readyPod("other-node-1"));
  await put(node, "web.json", "{ half a file");
  const told = () =>
    node.seen.filter(({ reason }) => reason === "FailedValidation").map(({ message }) => message);
  await stepped("it is told", () => told().length > 0);
  await passes(15);
  assert.ok(readyPod("web-node-1"));
  await stepped("its mirror has gone", () => !node.pod("web-node-1"));
  assert.match(told().at(-1)!, /web\.json is not used: .*; the pod that it held before ends$/s);
  assert.equal(told().length, 2);
  assert.ok(readyPod("other-node-1"));
  assert.equal((await node.runtime.listContainers()).length, 1);
  await put(node, "web.json", manifest("web"));
  await stepped("it is ready again", () => readyPod("web-node-1"));
});

test("a mirror of no static pod of this node is removed", async () => {
  await using node = await startNode();
  node.bind({
    name: "stray",
    annotations: { "kubernetes.io/config.mirror": "0123" },
    containers: [{ name: "c", image: "i" }],
  });
  await node.untilGone("stray");
  assert.equal((await node.runtime.listContainers()).length, 0);
});
