import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { pods } from "../../client/index.ts";
import { claimOf, startWith } from "../storage.suite.ts";
import { EphemeralVolumeController } from "./ephemeral-volume.ts";

let cluster: Awaited<ReturnType<typeof startWith>>;
before(async () => {
  cluster = await startWith((context) => [new EphemeralVolumeController(context)]);
});
after(() => cluster?.close());

const makePod = (name: string) =>
  cluster.client.resource<corev1.Pod>(pods).create({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: {
      containers: [{ name: "c", image: "i" }],
      volumes: [
        {
          name: "tmp",
          ephemeral: {
            volumeClaimTemplate: {
              metadata: { labels: { a: "1" }, annotations: { b: "2" } },
              spec: claimOf("").spec!,
            },
          },
        },
      ],
    },
  });

test("a pod's ephemeral volume gets a claim that is the pod's own, by its template", async () => {
  const pod = await makePod("p");
  const { metadata, spec } = (await cluster.claim("p-tmp", (claim) => claim !== undefined))!;
  assert.deepEqual(metadata.labels, { a: "1" });
  assert.deepEqual(metadata.annotations, { b: "2" });
  assert.deepEqual(metadata.ownerReferences, [
    {
      apiVersion: "v1",
      kind: "Pod",
      name: "p",
      uid: pod.metadata.uid,
      controller: true,
      blockOwnerDeletion: true,
    },
  ]);
  assert.equal(spec!.resources!.requests!.storage, "1Gi");
});

test("a claim that stands in the way is told of; once it is gone the pod gets its own", async () => {
  await cluster.claims.create(claimOf("q-tmp"));
  const pod = await makePod("q");
  await cluster.tells(
    /^q Warning FailedBinding: ephemeral volume tmp: PVC default\/q-tmp was not created for pod default\/q \(pod is not owner\)$/,
  );
  await cluster.claims.delete("default", "q-tmp");
  await cluster.claim("q-tmp", (claim) => claim?.metadata.ownerReferences?.[0]?.uid === pod.metadata.uid);
});
