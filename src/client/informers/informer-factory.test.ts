import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { SeededRandom, SteppedClock, silentLog } from "../../base/index.ts";
import { type KubeObject, serviceUnavailable } from "../../machinery/index.ts";
import type { Informer, InformerFactory } from "../informer.ts";
import { nodes, pods } from "../resources.ts";
import { FakeApi } from "../testing/fake-api.ts";
import { createInformerFactory } from "./informer-factory.ts";
import { backoffMaxMs } from "./reflector.ts";

const pod = (name: string, namespace = "default", nodeName = "") => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace },
  spec: { nodeName },
});

function recordingHandler() {
  const calls: string[] = [];
  const version = ({ metadata }: KubeObject) => `${metadata.name}@${metadata.resourceVersion}`;
  return {
    calls,
    added: (object: KubeObject) => calls.push(`added ${version(object)}`),
    updated: (a: KubeObject, b: KubeObject) => calls.push(`updated ${version(a)} ${version(b)}`),
    deleted: (object: KubeObject) => calls.push(`deleted ${version(object)}`),
  };
}

describe("an informer", () => {
  let api: FakeApi;
  let clock: SteppedClock;
  let stop: AbortController;
  let factory: InformerFactory;
  beforeEach(() => {
    api = new FakeApi();
    clock = new SteppedClock();
    stop = new AbortController();
    factory = createInformerFactory(api, { clock, log: silentLog, random: new SeededRandom(1) });
  });
  afterEach(() => stop.abort());

  const settle = () => clock.step(0);
  const names = (informer: Informer) =>
    informer
      .list()
      .map((object) => object.metadata.name)
      .sort();

  test("holds what there is, then follows", async () => {
    api.create(pods, pod("a"));
    api.create(pods, pod("b", "other"));
    const informer = factory.informer(pods);
    assert.equal(informer.hasSynced, false);
    await factory.start(stop.signal);
    assert.equal(informer.hasSynced, true);
    assert.deepEqual(names(informer), ["a", "b"]);
    const handler = recordingHandler();
    informer.addHandler(handler);
    await settle();
    api.create(pods, pod("c"));
    const b = informer.get("other/b")!;
    api.update(pods, { ...b, spec: { nodeName: "n" } });
    api.delete(pods, "default", "a");
    await settle();
    assert.deepEqual(handler.calls, [
      "added a@2",
      "added b@3",
      "added c@4",
      "updated b@3 b@5",
      "deleted a@6",
    ]);
    assert.deepEqual(names(informer), ["b", "c"]);
    assert.deepEqual(
      informer.list("other").map((object) => object.metadata.name),
      ["b"],
    );
    assert.equal(informer.get("default/a"), undefined);
  });

  test("is shared by all who ask for the same resource and selection", async () => {
    const first = factory.informer(pods);
    const second = factory.informer(pods);
    const selected = factory.informer(pods, { fieldSelector: "spec.nodeName=n" });
    factory.informer(nodes);
    await factory.start(stop.signal);
    api.create(pods, pod("a"));
    await settle();
    assert.equal(first.get("default/a"), second.get("default/a"));
    assert.ok(selected);
    assert.equal(api.requests.filter(({ verb }) => verb === "list").length, 3);
  });

  test("finds objects by index, each user by its own", async () => {
    api.create(pods, pod("a", "default", "n1"));
    const byNode = factory.informer<any>(pods, { indexers: { node: (p) => [p.spec.nodeName] } });
    await factory.start(stop.signal);
    const late = factory.informer<any>(pods, { indexers: { node: (p) => [`late-${p.spec.nodeName}`] } });
    api.create(pods, pod("b", "default", "n1"));
    await settle();
    assert.equal(byNode.byIndex("node", "n1").length, 2);
    assert.equal(late.byIndex("node", "late-n1").length, 2);
    api.update(pods, { ...byNode.get("default/a"), spec: { nodeName: "n2" } });
    api.delete(pods, "default", "b");
    await settle();
    assert.deepEqual(byNode.byIndex("node", "n1"), []);
    assert.equal(byNode.byIndex("node", "n2")[0].metadata.name, "a");
    assert.throws(() => byNode.byIndex("nope", "x"), /index "nope"/);
  });

  test("goes on where it was when its watch is cut, without listing again", async () => {
    const informer = factory.informer(pods);
    await factory.start(stop.signal);
    await settle();
    api.cut(serviceUnavailable("gone for a moment"));
    api.create(pods, pod("a"));
    await clock.step(1_000);
    assert.deepEqual(names(informer), ["a"]);
    assert.equal(api.requests.length, 1);
  });

  test("lists again when the server has forgotten, and tells what was missed", async () => {
    const informer = factory.informer(pods);
    const handler = recordingHandler();
    informer.addHandler(handler);
    for (const name of ["stays", "changes", "goes", "returns"]) api.create(pods, pod(name));
    await factory.start(stop.signal);
    await settle();
    handler.calls.length = 0;
    api.cut();
    api.update(pods, { ...api.get(pods, "default", "changes"), spec: { nodeName: "n" } });
    api.delete(pods, "default", "goes");
    api.delete(pods, "default", "returns");
    api.create(pods, pod("returns"));
    api.create(pods, pod("comes"));
    api.compact();
    await clock.step(1_000);
    assert.deepEqual(names(informer), ["changes", "comes", "returns", "stays"]);
    assert.deepEqual(handler.calls.sort(), [
      "added comes@10",
      "added returns@9",
      "deleted goes@4",
      "deleted returns@5",
      "updated changes@3 changes@6",
    ]);
    assert.equal(api.requests.at(-1)!.options!.resourceVersion, "", "the newest state, not a cached one");
  });

  test("keeps its place by bookmarks", async () => {
    factory.informer(pods);
    await factory.start(stop.signal);
    await settle();
    api.bookmark();
    api.compact();
    api.cut();
    await clock.step(1_000);
    assert.equal(api.requests.length, 1, "the watch from the bookmark is not too old");
    assert.equal([...api.watches][0]!.request.resourceVersion, "2");
  });

  test("tries again, ever more slowly, while the server cannot be reached", async () => {
    for (let i = 0; i < 12; i++) api.failures.push(serviceUnavailable("down"));
    api.create(pods, pod("a"));
    const informer = factory.informer(pods);
    const started = factory.start(stop.signal);
    await clock.step(1_000);
    const early = api.requests.length;
    assert.ok(early >= 3 && early <= 5, `${early} requests in the first second`);
    await clock.step(12 * 2 * backoffMaxMs);
    await started;
    assert.deepEqual(names(informer), ["a"]);
    assert.equal(api.requests.length, 13);
  });

  test("does not hammer a server that ends every watch at once", async () => {
    factory.informer(pods);
    await factory.start(stop.signal);
    let watches = 0;
    for (let i = 0; i < 100; i++) {
      await clock.step(100);
      watches += api.watches.size;
      api.cut();
    }
    assert.ok(watches < 15, `${watches} watches in 10 s`);
  });

  test("comes back soon from a server that is killed again and again", async () => {
    const informer = factory.informer(pods);
    await factory.start(stop.signal);
    for (let i = 0; i < 10; i++) {
      await clock.step(10_000);
      api.cut(serviceUnavailable("killed"));
    }
    api.create(pods, pod("a"));
    await clock.step(1_000);
    assert.deepEqual(names(informer), ["a"]);
  });

  test("tells a late handler of everything before what happens next", async () => {
    for (let i = 0; i < 200; i++) api.create(pods, pod(`p${i}`));
    const informer = factory.informer(pods);
    await factory.start(stop.signal);
    const handler = recordingHandler();
    const remove = informer.addHandler(handler);
    assert.equal(handler.calls.length, 0);
    api.delete(pods, "default", "p199");
    while (handler.calls.length < 201) await settle();
    assert.match(handler.calls[200]!, /^deleted p199/);
    remove();
    api.create(pods, pod("later"));
    await settle();
    assert.equal(handler.calls.length, 201);
  });

  test("does not let one handler's failure reach the others", async () => {
    const informer = factory.informer(pods);
    const handler = recordingHandler();
    informer.addHandler({
      added: () => {
        throw new Error("mine");
      },
    });
    informer.addHandler(handler);
    await factory.start(stop.signal);
    await settle();
    api.create(pods, pod("a"));
    await settle();
    assert.deepEqual(handler.calls, ["added a@2"]);
  });

  test("stops with the last of those who started it", async () => {
    const other = new AbortController();
    const informer = factory.informer(pods);
    await factory.start(stop.signal);
    await factory.start(other.signal);
    await settle();
    stop.abort();
    api.create(pods, pod("a"));
    await settle();
    assert.deepEqual(names(informer), ["a"]);
    other.abort();
    await settle();
    assert.equal(api.watches.size, 0);
  });

  test("holds references, not objects, where the transport gives them", async () => {
    let parsed = 0;
    const object = Object.freeze({
      ...pod("a"),
      metadata: { ...pod("a").metadata, uid: "u", resourceVersion: "7" },
    });
    const ref = {
      get object() {
        parsed++;
        return object;
      },
    };
    const transport = {
      request: async () => ({
        object: { apiVersion: "v1", kind: "PodList", metadata: { resourceVersion: "7" } },
        items: [ref],
      }),
      watch: () => ({ close: () => {} }),
    };
    const lazy = createInformerFactory(transport, { clock, log: silentLog });
    const informer = lazy.informer(pods);
    await lazy.start(stop.signal);
    assert.equal(parsed, 1);
    assert.equal(informer.get("default/a"), object);
    assert.equal(parsed, 2);
  });
});
