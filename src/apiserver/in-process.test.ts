import assert from "node:assert/strict";
import { test } from "node:test";
import type { WatchEvent } from "../client/index.ts";
import { isStatus } from "../machinery/index.ts";
import { demoConfigMap } from "./testing/client.ts";
import { startTestCluster } from "./testing/cluster.ts";

const configMaps = { group: "", version: "v1", resource: "configmaps" };
const at = { resource: configMaps, namespace: "default" };

test("a component of the process gets the stored objects themselves, frozen", async (t) => {
  const cluster = await startTestCluster();
  t.after(() => cluster.close());
  const { admin } = cluster;
  const body = Object.freeze(demoConfigMap("shared"));
  const made = (await admin.request({ verb: "create", ...at, body })).object;
  assert.ok(Object.isFrozen(made) && Object.isFrozen(made.data));
  const read = (await admin.request({ verb: "get", ...at, name: "shared" })).object;
  assert.equal(read, made);
  const list = (await admin.request({ verb: "list", ...at })).object;
  assert.equal(list.items[0], made);
  assert.equal(list.kind, "ConfigMapList");
});

test("a component of the process is authorized and validated as anybody else", async (t) => {
  const cluster = await startTestCluster();
  t.after(() => cluster.close());
  const nobody = cluster.server.transportFor({ name: "nobody", groups: [] });
  const body = demoConfigMap("refused");
  await assert.rejects(nobody.request({ verb: "create", ...at, body }), (error) =>
    isStatus(error, "Forbidden"),
  );
  const bad = { ...demoConfigMap("x"), metadata: { name: "Not Valid" } };
  await assert.rejects(cluster.admin.request({ verb: "create", ...at, body: bad }), (error) =>
    isStatus(error, "Invalid"),
  );
  const closed = new Promise<Error | undefined>((resolve) => {
    nobody.watch({ resource: configMaps }, { onEvents: () => {}, onClose: resolve });
  });
  assert.ok(isStatus(await closed, "Forbidden"));
});

test("a watch in the process shows state, changes and their end", async (t) => {
  const cluster = await startTestCluster();
  t.after(() => cluster.close());
  const { admin } = cluster;
  await admin.request({ verb: "create", ...at, body: demoConfigMap("first") });
  const events: WatchEvent[] = [];
  let wake = () => {};
  const until = async (count: number) => {
    while (events.length < count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const watch = admin.watch(at, {
    onEvents: (batch) => {
      events.push(...batch);
      wake();
    },
    onClose: () => {},
  });
  await until(1);
  await admin.request({
    verb: "patch",
    ...at,
    name: "first",
    patch: { type: "merge", body: { data: { b: "2" } } },
  });
  await admin.request({ verb: "delete", ...at, name: "first" });
  await until(3);
  watch.close();
  assert.deepEqual(
    events.map((event) => event.type),
    ["ADDED", "MODIFIED", "DELETED"],
  );
});
