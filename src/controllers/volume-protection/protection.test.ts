import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  attributesClassProtectionFinalizer,
  claimProtectionFinalizer,
  type corev1,
  type storagev1,
  volumeProtectionFinalizer,
} from "../../api/index.ts";
import { pods, volumeAttributesClasses } from "../../client/index.ts";
import { claimOf, startWith, volumeOf } from "../storage.suite.ts";
import { attributesClassProtection, claimProtection, usesClaim, volumeProtection } from "./protections.ts";

let cluster: Awaited<ReturnType<typeof startWith>>;
before(async () => {
  cluster = await startWith((context) => [
    claimProtection(context),
    volumeProtection(context),
    attributesClassProtection(context),
  ]);
});
after(() => cluster?.close());

const isHeldBy = (finalizer: string) => (object: { metadata: { finalizers?: string[] } } | undefined) =>
  object?.metadata.finalizers?.includes(finalizer) === true;
const isGone = (object: unknown) => object === undefined;

const makePod = (name: string, claimName: string, nodeName?: string) =>
  cluster.client.resource<corev1.Pod>(pods).create({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: {
      ...(nodeName && { nodeName }),
      containers: [{ name: "c", image: "i" }],
      volumes: [{ name: "v", persistentVolumeClaim: { claimName } }],
    },
  });
const removePod = (name: string) =>
  cluster.client.resource(pods).delete("default", name, { gracePeriodSeconds: 0 });

test("a claim stays while a pod on a node has it, and goes with the last", async () => {
  await cluster.claims.create(claimOf("used"));
  await cluster.claim("used", isHeldBy(claimProtectionFinalizer));
  await makePod("first", "used", "n");
  await makePod("second", "used", "n");
  await cluster.claims.delete("default", "used");
  await removePod("first");
  const marked = await cluster.claims.get("default", "used");
  assert.notEqual(marked.metadata.deletionTimestamp, undefined);
  await removePod("second");
  await cluster.claim("used", isGone);
});

test("a claim that only a pod without a node names is not held by it", async () => {
  await cluster.claims.create(claimOf("wanted"));
  await cluster.claim("wanted", isHeldBy(claimProtectionFinalizer));
  await makePod("pending", "wanted");
  await cluster.claims.delete("default", "wanted");
  await cluster.claim("wanted", isGone);
});

test("a volume stays while it is bound", async () => {
  await cluster.volumes.create(volumeOf("bound"));
  const made = (await cluster.volume("bound", isHeldBy(volumeProtectionFinalizer)))!;
  await cluster.volumes.updateStatus({ ...made, status: { ...made.status, phase: "Bound" } });
  await cluster.volumes.delete(undefined, "bound");
  const marked = await cluster.volumes.get(undefined, "bound");
  assert.notEqual(marked.metadata.deletionTimestamp, undefined);
  await cluster.volumes.updateStatus({ ...marked, status: { ...marked.status, phase: "Released" } });
  await cluster.volume("bound", isGone);
});

test("a class of attributes stays while a claim has it", async () => {
  const classes = cluster.client.resource<storagev1.VolumeAttributesClass>(volumeAttributesClasses);
  await classes.create({
    apiVersion: "storage.k8s.io/v1",
    kind: "VolumeAttributesClass",
    metadata: { name: "gold", finalizers: [attributesClassProtectionFinalizer] },
    driverName: "d",
    parameters: { a: "1" },
  });
  await cluster.claims.create(claimOf("golden", { volumeAttributesClassName: "gold" }));
  await cluster.claim("golden", isHeldBy(claimProtectionFinalizer));
  await classes.delete(undefined, "gold");
  assert.notEqual((await classes.get(undefined, "gold")).metadata.deletionTimestamp, undefined);
  await cluster.claims.delete("default", "golden");
  await cluster.claim("golden", isGone);
  const gone = async () => {
    while ((await classes.list()).items.length > 0) await new Promise((resolve) => setImmediate(resolve));
  };
  await gone();
});

test("a pod's own ephemeral claim is used until its node is done with the pod", () => {
  const claim = {
    ...claimOf("p-tmp"),
    metadata: {
      name: "p-tmp",
      namespace: "default",
      ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "p", uid: "u", controller: true }],
    },
  };
  const pod = (metadata: object, nodeName: string | undefined = "n"): corev1.Pod => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "default", uid: "u", ...metadata },
    spec: { nodeName, containers: [], volumes: [{ name: "tmp", ephemeral: {} }] } as corev1.PodSpec,
  });
  const ending = { deletionTimestamp: "2026-01-01T00:00:00Z" };
  assert.equal(usesClaim(pod({}), claim), true);
  assert.equal(usesClaim(pod({ ...ending, deletionGracePeriodSeconds: 30 }), claim), true);
  assert.equal(usesClaim(pod({ ...ending, deletionGracePeriodSeconds: 0 }), claim), false);
  assert.equal(usesClaim(pod({ uid: "another" }), claim), false);
});
