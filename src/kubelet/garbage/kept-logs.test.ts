import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { SteppedClock, silentLog } from "../../base/index.ts";
import { parseQuantity } from "../../machinery/index.ts";
import { filesSettled } from "../testing/files-settled.ts";
import type { TestNode } from "../testing/node.ts";
import { isReady, remove, steppedNode } from "../testing/stepped-node.ts";
import { KeptLogs, keepLogs } from "./kept-logs.ts";

type SteppedNode = Awaited<ReturnType<typeof steppedNode>>;
const never = new AbortController().signal;

async function get(node: TestNode, path: string): Promise<string | undefined> {
  const { body, code } = await node.kubelet.page({ path, query: {} }, never);
  if (code !== 200) return undefined;
  return Buffer.isBuffer(body) ? body.toString() : text(body);
}

/** A pod that has written a line, and is gone. Returns the page of its log. */
async function goneWithLogs(node: SteppedNode, name: string): Promise<string> {
  node.bind({ name, containers: [{ name: "c", image: "i" }] });
  const pod = await node.until(name, isReady);
  node.runtime.writeLog(node.runtime.find("c", name)!.id, "last words\n");
  await remove(node, name, 5);
  await node.untilGone(name);
  await node.eventually("nothing of it runs", async () =>
    (await node.runtime.listPodSandboxes()).length === 0 ? true : undefined,
  );
  return `/logs/pods/default_${name}_${pod.metadata.uid}/c/0.log`;
}

async function pass(node: SteppedNode, minutes: number): Promise<void> {
  for (let i = 0; i < minutes * 6; i++) {
    await filesSettled();
    await node.clock.step(10_000);
  }
  await filesSettled();
}

test("the log of a pod that is gone is read from its node for ten minutes, also from another agent", async () => {
  await using node = await steppedNode();
  const log = await goneWithLogs(node, "web");
  assert.match((await get(node, log))!, /last words$/m);
  await pass(node, 5);
  await node.restart();
  await pass(node, 4);
  assert.match((await get(node, log))!, /last words$/m);
  await node.eventually("it goes", async () => {
    await pass(node, 1);
    return (await readdir(join(node.dir, "logs"))).length === 0 ? true : undefined;
  });
  assert.equal(await get(node, log), undefined);
});

test("kubectl logs of a pod that has ended, and whose object something holds, reads what is kept", async () => {
  await using node = await steppedNode();
  node.runtime.behaviours = ({ metadata }) => ({ output: `attempt ${metadata.attempt}\n` });
  node.bind({ name: "web", containers: [{ name: "c", image: "i" }] });
  const { uid } = (await node.until("web", isReady)).metadata;
  node.runtime.exit(node.runtime.find("c")!.id, 1);
  await node.until("web", (pod) => pod.status!.containerStatuses![0]!.restartCount === 1 && isReady(pod));
  await remove(node, "web", 5);
  await node.untilGone("web");
  const read = async (options: { previous?: boolean; follow?: boolean }, container = "c") =>
    text(
      await node.kubelet.containerLogs(
        { namespace: "default", name: "web", uid: uid!, container },
        options,
        never,
      ),
    );
  assert.equal(await read({ follow: true }), "attempt 1\n");
  assert.equal(await read({ previous: true }), "attempt 0\n");
  await node.eventually("the agent knows it no more", () =>
    read({}, "other").then(
      () => undefined,
      ({ code }) => (code === 404 ? true : undefined),
    ),
  );
  assert.equal(await read({}), "attempt 1\n");
  await node.eventually("it goes", async () => {
    await pass(node, 1);
    return (await readdir(join(node.dir, "logs"))).length === 0 ? true : undefined;
  });
  await assert.rejects(read({}), { code: 404 });
});

test("where the node's disk is short, the logs of pods that are gone go before anything else", async () => {
  await using node = await steppedNode({
    evictionHard: { "nodefs.available": { quantity: parseQuantity("100Mi") } },
  });
  const log = await goneWithLogs(node, "web");
  const observe = node.usage.observations.bind(node.usage);
  node.usage.observations = async () => {
    const isShort = (await get(node, log)) !== undefined;
    node.usage.set("nodefs.available", (isShort ? 50 : 600) * 2 ** 20, 1_000 * 2 ** 20);
    return observe();
  };
  // Images on a disk of their own are no help to this one.
  node.usage.layout = { imageFs: "dedicated" };
  await node.eventually("the log has gone", async () => {
    await filesSettled();
    await node.clock.step(1_000);
    return (await get(node, log)) === undefined ? true : undefined;
  });
});

test("a static pod that comes back writes its log anew", async () => {
  await using node = await steppedNode();
  const file = join(node.manifests, "web.json");
  const manifest = JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web" },
    spec: { containers: [{ name: "c", image: "i" }] },
  });
  const run = async (words: string) => {
    await writeFile(file, manifest);
    const mirror = await node.eventually("it runs", async () => {
      await filesSettled();
      await node.clock.step(100);
      const pod = node.pod("web-node-1");
      return pod && isReady(pod) ? pod : undefined;
    });
    node.runtime.writeLog(node.runtime.find("c", "web-node-1")!.id, `${words}\n`);
    const uid = mirror.metadata.annotations!["kubernetes.io/config.hash"];
    return `/logs/pods/default_web-node-1_${uid}/c/0.log`;
  };
  const log = await run("the first time");
  await rm(file);
  await node.eventually("nothing of it is left", async () => {
    await filesSettled();
    await node.clock.step(100);
    return (await node.runtime.listPodSandboxes()).length === 0 && !node.pod("web-node-1") ? true : undefined;
  });
  assert.match((await get(node, log))!, /the first time$/m);
  assert.equal(await run("the second time"), log);
  assert.doesNotMatch((await get(node, log))!, /the first time/);
  assert.match((await get(node, log))!, /the second time$/m);
});

async function keptLogs(limits: { ageMsMax: number; bytesMax: number; podsMax: number }) {
  const dir = await mkdtemp(join(tmpdir(), "peapod-kept-logs-"));
  const clock = new SteppedClock();
  const logs = new KeptLogs({
    logsDir: dir,
    clock,
    log: silentLog,
    limits,
    isKnown: (uid) => uid === "here",
  });
  return {
    clock,
    logs,
    async gone(uid: string, bytes: number): Promise<void> {
      await mkdir(join(dir, `default_p_${uid}`, "c"), { recursive: true });
      await writeFile(join(dir, `default_p_${uid}`, "c", "0.log"), Buffer.alloc(bytes, "x"));
      await keepLogs(join(dir, `default_p_${uid}`), clock.now());
      await clock.step(1_000);
    },
    left: async () => (await readdir(dir)).map((name) => name.slice("default_p_".length)).sort(),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

test("of the logs that are kept, those gone longest go where they are too many bytes, or pods", async () => {
  await using kept = await keptLogs({ ageMsMax: 60_000, bytesMax: 1 << 20, podsMax: 3 });
  await kept.gone("here", 2 << 20);
  await kept.gone("large", 700 << 10);
  await kept.gone("later", 400 << 10);
  await kept.logs.sweep();
  assert.deepEqual(await kept.left(), ["here", "later"]);
  for (const uid of ["a", "b", "c"]) await kept.gone(uid, 10);
  await kept.logs.sweep();
  assert.deepEqual(await kept.left(), ["a", "b", "c", "here"]);
  kept.clock.jump(-30_000);
  await kept.logs.sweep();
  assert.deepEqual(await kept.left(), ["a", "b", "c", "here"], "a clock that is set back a little");
  kept.clock.jump(-3_600_000);
  await kept.logs.sweep();
  assert.deepEqual(await kept.left(), ["here"], "a clock that is set back far");
});

test("of a pod that has written nothing, nothing is kept", async () => {
  await using kept = await keptLogs({ ageMsMax: 60_000, bytesMax: 1 << 20, podsMax: 3 });
  await kept.gone("one", 1);
  await kept.logs.removeAll();
  assert.deepEqual(await kept.left(), []);
  const empty = await mkdtemp(join(tmpdir(), "peapod-kept-logs-"));
  await keepLogs(empty, kept.clock.now());
  await assert.rejects(readdir(empty), { code: "ENOENT" });
  await keepLogs(empty, kept.clock.now());
});
