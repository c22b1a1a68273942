import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { provisionedByAnnotation } from "../../api/index.ts";
import { VolumeBinder } from "../persistent-volume/binder.ts";
import { claimOf, startWith, volumeOf } from "../storage.suite.ts";
import { VolumeExpandController } from "./volume-expand.ts";

let cluster: Awaited<ReturnType<typeof startWith>>;
before(async () => {
  cluster = await startWith((context) => [new VolumeBinder(context), new VolumeExpandController(context)]);
});
after(() => cluster?.close());

const request = (storage: string) => ({ spec: { resources: { requests: { storage } } } });

for (const [name, source, annotations, type] of [
  ["of-a-driver", { hostPath: undefined, csi: { driver: "d.test", volumeHandle: "h" } }, {}, "Normal"],
  ["provisioned", {}, { [provisionedByAnnotation]: "example.com/disk" }, "Normal"],
  ["by-hand", {}, {}, "Warning"],
] as const)
  test(`a claim of a volume ${name} that asks for more is told who is waited for, as a ${type} event`, async () => {
    const ofClass = { storageClassName: name };
    const volume = volumeOf(name, { ...ofClass, ...source, capacity: { storage: "2Gi" } });
    await cluster.volumes.create({ ...volume, metadata: { ...volume.metadata, annotations } });
    await cluster.claims.create(claimOf(name, ofClass));
    await cluster.claim(name, (claim) => claim?.status?.phase === "Bound");
    // It has as much already.
    await cluster.claims.patch("default", name, "merge", request("2Gi"));
    await cluster.claims.patch("default", name, "merge", request("3Gi"));
    await cluster.tells(
      new RegExp(`^${name} ${type} ExternalExpanding: waiting for an external controller to`),
    );
    const told = cluster.told.filter((line) => line.startsWith(name) && line.includes("ExternalExpanding"));
    assert.equal(told.length, 1);
  });
