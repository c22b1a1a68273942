import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import type { corev1 } from "../api/index.ts";
import { startTestCluster, type TestCluster } from "../apiserver/testing/cluster.ts";
import { SystemClock, silentLog } from "../base/index.ts";
import { isStatus, StatusError } from "../machinery/index.ts";
import { type Client, createClient } from "./client.ts";
import { createEventRecorder } from "./events/recorder.ts";
import { createHttpsTransport } from "./https/https-transport.ts";
import { createInformerFactory } from "./informers/informer-factory.ts";
import { configMaps, events, pods } from "./resources.ts";
import type { Transport, WatchEvent } from "./transport.ts";

/* Whatever a component sees in the API server's process it must see from another machine as well. */

const clock = new SystemClock();
const transports: Record<string, (cluster: TestCluster) => Transport & { close?(): void }> = {
  "in process": (cluster) => cluster.admin,
  "over HTTPS": ({ url, pki }) =>
    createHttpsTransport({
      server: url,
      ca: pki.ca.certificate,
      cert: pki.admin.certificate,
      key: pki.admin.key,
      clock,
    }),
};

for (const [name, connect] of Object.entries(transports)) {
  describe(`the API server reached ${name}`, () => {
    let cluster: TestCluster;
    let transport: Transport & { close?(): void };
    let client: Client;
    let run = 0;
    before(async () => {
      cluster = await startTestCluster();
      transport = connect(cluster);
      client = createClient(transport);
    });
    after(async () => {
      transport.close?.();
      await cluster.close();
    });
    beforeEach(() => {
      run++;
    });

    const configMap = (data: Record<string, string>, suffix = ""): corev1.ConfigMap => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: `map-${run}${suffix}`, namespace: "default", labels: { run: `run-${run}` } },
      data,
    });
    const maps = () => client.resource<corev1.ConfigMap>(configMaps);

    test("creates, reads, updates, patches and deletes", async () => {
      const created = await maps().create(configMap({ a: "1" }));
      assert.ok(created.metadata.uid);
      const read = await maps().get("default", created.metadata.name!);
      assert.deepEqual(read, created);
      const updated = await maps().update({ ...created, data: { a: "2" } });
      assert.equal(updated.data!.a, "2");
      const patched = await maps().patch("default", created.metadata.name!, "merge", { data: { b: "3" } });
      assert.deepEqual(patched.data, { a: "2", b: "3" });
      const list = await maps().list({ namespace: "default", labelSelector: `run=run-${run}` });
      assert.deepEqual(list.items, [patched]);
      assert.equal(list.kind, "ConfigMapList");
      await maps().delete("default", created.metadata.name!);
      await assert.rejects(maps().get("default", created.metadata.name!), (e) => isStatus(e, "NotFound"));
    });

    test("refuses with the same Status", async () => {
      const created = await maps().create(configMap({ a: "1" }));
      await maps().update({ ...created, data: { a: "2" } });
      await assert.rejects(maps().update(created), (error) => {
        assert.ok(error instanceof StatusError);
        assert.deepEqual(
          [error.code, error.reason, error.message],
          [
            409,
            "Conflict",
            `Operation cannot be fulfilled on configmaps "map-${run}": the object has been modified; please apply your changes to the latest version and try again`,
          ],
        );
        return true;
      });
      await assert.rejects(maps().create(configMap({})), (e) => isStatus(e, "AlreadyExists"));
      await assert.rejects(
        maps().create({ ...configMap({}), metadata: { namespace: "default" } }),
        (error) => {
          return isStatus(error, "Invalid") && error.status.details!.causes![0]!.field === "metadata.name";
        },
      );
    });

    test("returns frozen objects", async () => {
      const created = await maps().create(configMap({ a: "1" }));
      for (const object of [created, await maps().get("default", created.metadata.name!)]) {
        assert.throws(() => {
          object.data!.a = "2";
        }, TypeError);
      }
    });

    test("watches from a revision, and says when that is too old", async () => {
      const before = await maps().list({ namespace: "default" });
      const first = await maps().create(configMap({ a: "1" }));
      const seen: WatchEvent<corev1.ConfigMap>[] = [];
      let wake = () => {};
      const watch = maps().watch(
        {
          namespace: "default",
          labelSelector: `run=run-${run}`,
          resourceVersion: before.metadata.resourceVersion,
        },
        {
          onEvents: (batch) => {
            seen.push(...batch);
            wake();
          },
          onClose: (error) => assert.ifError(error),
        },
      );
      await maps().update({ ...first, data: { a: "2" } });
      await maps().delete("default", first.metadata.name!);
      while (seen.length < 3) await new Promise<void>((resolve) => (wake = resolve));
      watch.close();
      assert.deepEqual(
        seen.map((event) => event.type),
        ["ADDED", "MODIFIED", "DELETED"],
      );
      await cluster.store.compact(cluster.store.head);
      const ended = new Promise<Error | undefined>((resolve) => {
        maps().watch(
          { namespace: "default", resourceVersion: before.metadata.resourceVersion },
          { onEvents: () => {}, onClose: resolve },
        );
      });
      assert.ok(isStatus(await ended, "Expired"));
    });

    test("feeds informers, also past a compaction", async () => {
      const stop = new AbortController();
      const factory = createInformerFactory(transport, { clock, log: silentLog });
      const informer = factory.informer<corev1.ConfigMap>(configMaps, { labelSelector: `run=run-${run}` });
      try {
        await maps().create(configMap({ a: "1" }, "-x"));
        await factory.start(stop.signal);
        assert.equal(informer.list().length, 1);
        let wake = () => {};
        informer.addHandler({ added: () => wake(), deleted: () => wake(), updated: () => wake() });
        await maps().create(configMap({ a: "1" }, "-y"));
        await maps().delete("default", `map-${run}-x`);
        const isThere = () =>
          informer
            .list()
            .map((map) => map.metadata.name)
            .join() === `map-${run}-y`;
        while (!isThere()) await new Promise<void>((resolve) => (wake = resolve));
      } finally {
        stop.abort();
      }
    });

    test("takes events, and counts them", async () => {
      const recorder = createEventRecorder({ client, component: "tester", clock, log: silentLog });
      const about = { apiVersion: "v1", kind: "Pod", namespace: "default", name: `pod-${run}`, uid: "u" };
      for (let i = 0; i < 3; i++) recorder.event(about, "Warning", "BackOff", "Back-off restarting");
      await recorder.flush();
      const { items } = await client
        .resource<corev1.Event>(events)
        .list({ namespace: "default", fieldSelector: `involvedObject.name=pod-${run}` });
      assert.equal(items.length, 1);
      assert.equal(items[0]!.count, 3);
    });

    test("tells what is wrong with a pod, all at once", async () => {
      const pod = {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "BAD", namespace: "default" },
        spec: {},
      };
      await assert.rejects(client.resource(pods).create(pod as any), (error) => {
        assert.ok(isStatus(error, "Invalid"));
        const fields = error.status.details!.causes!.map((cause) => cause.field);
        assert.ok(fields.includes("metadata.name") && fields.includes("spec.containers"), fields.join());
        return true;
      });
    });
  });
}
