import assert from "node:assert/strict";
import { test } from "node:test";
import { configMaps } from "../../client/index.ts";
import type { KubeObject, OwnerReference } from "../../machinery/index.ts";
import { controllersOn } from "../running.suite.ts";
import { GarbageCollector } from "./garbage-collector.ts";

async function start() {
  const running = await controllersOn((context) => [new GarbageCollector(context)]);
  const at = { resource: configMaps, namespace: "default" };
  const own = async (name: string, owners: readonly KubeObject[]) => {
    const ownerReferences = owners.map(
      ({ metadata }): OwnerReference => ({
        apiVersion: "v1",
        kind: "ConfigMap",
        name: metadata.name!,
        uid: metadata.uid!,
        blockOwnerDeletion: true,
      }),
    );
    const patch = { type: "merge", body: { metadata: { ownerReferences } } } as const;
    return (await running.admin.request({ verb: "patch", ...at, name, patch })).object as KubeObject;
  };
  return {
    ...running,
    /** Objects that own each other are all of this kind. */
    make: async (name: string, owners: readonly KubeObject[] = [], metadata: object = {}) => {
      await running.create({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, ...metadata } });
      return own(name, owners);
    },
    own,
    remove: (name: string, propagationPolicy: "Foreground" | "Background" | "Orphan") =>
      running.admin.request({ verb: "delete", ...at, name, options: { propagationPolicy } }),
    gone: (name: string) => running.gone("v1", "configmaps", name),
    get: (name: string) => running.get("v1", "configmaps", name),
    until: (name: string, is: (object: KubeObject) => boolean) =>
      running.until<KubeObject>("v1", "configmaps", name, is),
  };
}

test("what is left without an owner goes, all the way down", async (t) => {
  const { make, remove, gone, close } = await start();
  t.after(close);
  const top = await make("top");
  const middle = await make("middle", [top]);
  await make("bottom", [middle]);
  await remove("top", "Background");
  await Promise.all([gone("top"), gone("middle"), gone("bottom")]);
});

test("in the foreground an owner stays until what it owns is gone", async (t) => {
  const { make, remove, gone, get, until, admin, close } = await start();
  t.after(close);
  const owner = await make("owner");
  await make("held", [owner], { finalizers: ["example.com/hold"] });
  await remove("owner", "Foreground");
  await until("held", ({ metadata }) => metadata.deletionTimestamp !== undefined);
  assert.deepEqual((await get("owner")).metadata.finalizers, ["foregroundDeletion"]);
  const patch = { type: "merge", body: { metadata: { finalizers: null } } } as const;
  await admin.request({ verb: "patch", resource: configMaps, namespace: "default", name: "held", patch });
  await Promise.all([gone("held"), gone("owner")]);
});

test("orphans stay, and forget their owner", async (t) => {
  const { make, remove, gone, get, close } = await start();
  t.after(close);
  const owner = await make("owner");
  await make("orphan", [owner]);
  await remove("owner", "Orphan");
  await gone("owner");
  const { metadata } = await get("orphan");
  assert.deepEqual([metadata.ownerReferences ?? [], metadata.deletionTimestamp], [[], undefined]);
});

test("what has another owner stays, and forgets the one that waits for it", async (t) => {
  const { make, remove, gone, get, close } = await start();
  t.after(close);
  const [leaves, stays] = [await make("leaves"), await make("stays")];
  await make("shared", [leaves, stays]);
  await make("single", [leaves]);
  await remove("leaves", "Foreground");
  await Promise.all([gone("leaves"), gone("single")]);
  const { metadata } = await get("shared");
  assert.deepEqual(
    [metadata.ownerReferences?.map(({ name }) => name), metadata.deletionTimestamp],
    [["stays"], undefined],
  );
});

test("objects that own each other in a circle hold nothing up", async (t) => {
  const { make, own, remove, gone, close } = await start();
  t.after(close);
  const [one, two, three] = [await make("one"), await make("two"), await make("three")];
  await own("one", [three]);
  await own("two", [one]);
  await own("three", [two]);
  await remove("one", "Foreground");
  await Promise.all([gone("one"), gone("two"), gone("three")]);
});
