import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  bindCompletedAnnotation,
  type corev1,
  provisionedByAnnotation,
  provisionerAnnotation,
  type storagev1,
} from "../../api/index.ts";
import { storageClasses } from "../../client/index.ts";
import { claimOf, startWith, volumeOf } from "../storage.suite.ts";
import { VolumeBinder } from "./binder.ts";
import { claimStatus } from "./volume-writes.ts";

let cluster: Awaited<ReturnType<typeof startWith>>;
before(async () => {
  cluster = await startWith((context) => [new VolumeBinder(context)]);
});
after(() => cluster?.close());

const isPhase = (phase: string) => (object: { status?: { phase?: string } } | undefined) =>
  object?.status?.phase === phase;
/** Volumes and claims of one test do not meet those of another. */
const ofClass = (storageClassName: string) => ({ storageClassName });

const makeClass = (name: string, rest: Partial<storagev1.StorageClass>) =>
  cluster.client.resource<storagev1.StorageClass>(storageClasses).create({
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name, ...rest.metadata },
    provisioner: "example.com/disk",
    ...rest,
  });

test("a claim and a volume that fit find each other, whichever comes first", async () => {
  await cluster.volumes.create(volumeOf("first", ofClass("meet")));
  await cluster.volume("first", isPhase("Available"));
  await cluster.claims.create(claimOf("a", ofClass("meet")));
  const bound = await cluster.claim("a", isPhase("Bound"));
  assert.equal(bound!.spec!.volumeName, "first");
  assert.deepEqual(bound!.status!.capacity, { storage: "1Gi" });
  assert.deepEqual(bound!.status!.accessModes, ["ReadWriteOnce"]);
  assert.equal(bound!.metadata.annotations![bindCompletedAnnotation], "yes");
  await cluster.volume("first", isPhase("Bound"));

  await cluster.claims.create(claimOf("b", ofClass("meet")));
  await cluster.tells(/^b Warning ProvisioningFailed: storageclass.storage.k8s.io "meet" not found$/);
  await cluster.volumes.create(volumeOf("second", ofClass("meet")));
  assert.equal((await cluster.claim("b", isPhase("Bound")))!.spec!.volumeName, "second");
});

test("a claim that names its volume gets that one, or is told why not", async () => {
  await cluster.volumes.create(volumeOf("small", ofClass("named")));
  await cluster.volumes.create(volumeOf("other", ofClass("named")));
  await cluster.claims.create(
    claimOf("large", {
      ...ofClass("named"),
      volumeName: "small",
      resources: { requests: { storage: "2Gi" } },
    }),
  );
  await cluster.tells(
    /^large Warning VolumeMismatch: Cannot bind to requested volume "small": requested PV is too small$/,
  );
  await cluster.claims.create(claimOf("fits", { ...ofClass("named"), volumeName: "small" }));
  await cluster.claim("fits", isPhase("Bound"));
  await cluster.claims.create(claimOf("late", { ...ofClass("named"), volumeName: "small" }));
  await cluster.tells(/^late Warning FailedBinding: volume "small" already bound to a different claim\.$/);
  assert.equal((await cluster.claims.get("default", "late")).status!.phase, "Pending");
});

test("a volume that is kept for a claim is got by no other", async () => {
  const claimRef = { namespace: "default", name: "heir" };
  await cluster.volumes.create(volumeOf("kept", { ...ofClass("keeps"), claimRef }));
  await cluster.volume("kept", isPhase("Available"));
  await makeClass("keeps", { provisioner: "kubernetes.io/no-provisioner" });
  await cluster.claims.create(claimOf("stranger", ofClass("keeps")));
  await cluster.tells(
    /^stranger Warning ProvisioningFailed: no volume plugin matched name: kubernetes.io\/no-provisioner$/,
  );
  await cluster.claims.create(claimOf("heir", ofClass("keeps")));
  await cluster.claim("heir", isPhase("Bound"));
  assert.equal((await cluster.claims.get("default", "stranger")).status!.phase, "Pending");
});

test("a volume without its claim is released, and kept for nobody else", async () => {
  await cluster.volumes.create(volumeOf("released", ofClass("release")));
  const made = await cluster.claims.create(claimOf("gone", ofClass("release")));
  await cluster.claim("gone", isPhase("Bound"));
  await cluster.claims.delete("default", "gone");
  const released = await cluster.volume("released", isPhase("Released"));
  assert.equal(released!.spec!.claimRef!.uid, made.metadata.uid);
  // A new claim of the same name is another claim.
  await cluster.claims.create(claimOf("gone", ofClass("release")));
  await cluster.tells(/^gone Warning ProvisioningFailed/);
  assert.equal((await cluster.volumes.get(undefined, "released")).status!.phase, "Released");
});

for (const [policy, reason, message] of [
  [
    "Delete",
    "VolumeFailedDelete",
    'error getting deleter volume plugin for volume "by-delete": no deletable volume plugin matched',
  ],
  ["Recycle", "VolumeFailedRecycle", "No recycler plugin found for the volume!"],
] as const)
  test(`a volume made by hand that nobody can ${policy.toLowerCase()} fails, and says so`, async () => {
    const name = `by-${policy.toLowerCase()}`;
    await cluster.volumes.create(volumeOf(name, { ...ofClass(name), persistentVolumeReclaimPolicy: policy }));
    await cluster.claims.create(claimOf(name, ofClass(name)));
    await cluster.claim(name, isPhase("Bound"));
    await cluster.claims.delete("default", name);
    const failed = await cluster.volume(name, isPhase("Failed"));
    assert.equal(failed!.status!.message, message);
    await cluster.tells(new RegExp(`^${name} Warning ${reason}: ${message}$`));
  });

test("a claim that has lost its volume says so", async () => {
  await cluster.volumes.create(volumeOf("lost", ofClass("lose")));
  await cluster.claims.create(claimOf("loser", ofClass("lose")));
  await cluster.claim("loser", isPhase("Bound"));
  await cluster.volumes.delete(undefined, "lost");
  await cluster.claim("loser", isPhase("Lost"));
  await cluster.tells(
    /^loser Warning ClaimLost: Bound claim has lost its PersistentVolume\. Data on the volume is lost!$/,
  );
});

test("a claim's provisioner is asked for a volume, and finds what it made bound", async () => {
  await makeClass("made", { reclaimPolicy: "Delete" });
  await cluster.claims.create(claimOf("wants", ofClass("made")));
  const asked = await cluster.claim(
    "wants",
    (claim) => claim?.metadata.annotations?.[provisionerAnnotation] !== undefined,
  );
  assert.equal(asked!.metadata.annotations![provisionerAnnotation], "example.com/disk");
  await cluster.tells(/^wants Normal ExternalProvisioning: Waiting for a volume to be created either by/);
  const { name, namespace, uid } = asked!.metadata;
  const made = volumeOf("pvc-made", { ...ofClass("made"), claimRef: { name, namespace, uid } });
  made.metadata.annotations = { [provisionedByAnnotation]: "example.com/disk" };
  await cluster.volumes.create(made);
  assert.equal((await cluster.claim("wants", isPhase("Bound")))!.spec!.volumeName, "pvc-made");
});

test("a provisioner that is none of Kubernetes' own any more is not waited for", async () => {
  await makeClass("gone", { provisioner: "kubernetes.io/aws-ebs" });
  await cluster.claims.create(claimOf("ebs", ofClass("gone")));
  await cluster.tells(
    /^ebs Warning ProvisioningFailed: no volume plugin matched name: kubernetes.io\/aws-ebs$/,
  );
});

test("a claim of a class that waits for the first pod waits, and says for what", async () => {
  await makeClass("waits", { volumeBindingMode: "WaitForFirstConsumer" });
  await cluster.volumes.create(volumeOf("free", ofClass("waits")));
  await cluster.volume("free", isPhase("Available"));
  await cluster.claims.create(claimOf("patient", ofClass("waits")));
  await cluster.tells(
    /^patient Normal WaitForFirstConsumer: waiting for first consumer to be created before binding$/,
  );
  assert.equal((await cluster.claims.get("default", "patient")).spec!.volumeName, undefined);
});

test("a claim that names no class gets the default one when there is one", async () => {
  await cluster.claims.create(claimOf("classless"));
  await cluster.tells(
    /^classless Normal FailedBinding: no persistent volumes available for this claim and no storage class is set$/,
  );
  const annotations = { "storageclass.kubernetes.io/is-default-class": "true" };
  await makeClass("default-late", { metadata: { name: "default-late", annotations } });
  await cluster.claim("classless", (claim) => claim?.spec?.storageClassName === "default-late");
});

test("a bound claim keeps the size that whoever expands it says", () => {
  const volume = volumeOf("v", { capacity: { storage: "5Gi" } });
  const status = (before: corev1.PersistentVolumeClaimStatus) => claimStatus(before, "Bound", volume);
  assert.deepEqual(status({ phase: "Pending" }).capacity, { storage: "5Gi" });
  assert.deepEqual(status({ phase: "Bound", capacity: { storage: "1Gi" } }).capacity, { storage: "1Gi" });
  assert.deepEqual(claimStatus({ phase: "Bound", capacity: { storage: "1Gi" } }, "Lost", undefined), {
    phase: "Lost",
  });
});
