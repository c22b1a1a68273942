import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { busyboxPod, eventually, TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
const hostDir = mkdtempSync(join(tmpdir(), "peapod-volumes-"));
before(async () => {
  cluster = await TestCluster.start();
});
after(async () => {
  await cluster?.purge();
  rmSync(hostDir, { recursive: true, force: true });
});

const claim = (name: string, spec: object = {}) => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "64Mi" } }, ...spec },
});
const volumeAt = (name: string, source: object, spec: object = {}) => ({
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name },
  spec: {
    capacity: { storage: "64Mi" },
    accessModes: ["ReadWriteOnce"],
    storageClassName: name,
    ...source,
    ...spec,
  },
});
/** A pod that has the claim at `/data`, and runs `script`. */
const podWith = (name: string, claimName: string, script?: string, change: Record<string, unknown> = {}) => {
  const pod = busyboxPod(name, script, {
    restartPolicy: script === undefined ? "Always" : "Never",
    volumes: [{ name: "data", persistentVolumeClaim: { claimName, ...(change.claim as object) } }],
    ...(change.spec as object),
  });
  Object.assign(pod.spec.containers[0]!, {
    volumeMounts: [{ name: "data", mountPath: "/data", ...(change.mount as object) }],
  });
  return pod;
};
const remove = (...names: string[]) => cluster.kubectl(["delete", "--grace-period=0", ...names]);
const succeeded = (pod: string) => cluster.wait(`pod/${pod}`, "jsonpath={.status.phase}=Succeeded");
const eventsOf = async (name: string): Promise<string[]> =>
  (await cluster.get("events", "--field-selector", `involvedObject.name=${name}`)).items.map(
    (event: { reason: string; message: string }) => `${event.reason}: ${event.message}`,
  );

test("what a pod writes to its claim, the next pod reads; the claim waits for its first pod", async () => {
  await cluster.apply(claim("data"));
  await eventually("it waits", async () =>
    (await eventsOf("data")).includes(
      "WaitForFirstConsumer: waiting for first consumer to be created before binding",
    ),
  );
  assert.equal((await cluster.get("pvc", "data")).status.phase, "Pending");
  await cluster.apply(podWith("writer", "data", "echo kept > /data/file"));
  await succeeded("writer");
  const { spec, status } = await cluster.get("pvc", "data");
  assert.equal(status.phase, "Bound");
  await remove("pod/writer");
  await cluster.apply(podWith("reader", "data", "cat /data/file"));
  await succeeded("reader");
  assert.equal(await cluster.kubectl(["logs", "reader"]), "kept\n");

  const described = await cluster.kubectl(["describe", "pvc", "data"]);
  assert.match(described, /StorageClass: +standard\nStatus: +Bound\nVolume: +pvc-/);
  assert.match(described, /Used By: +reader\n/);
  assert.match(described, /ProvisioningSucceeded .*Successfully provisioned volume pvc-/);
  const rows = await cluster.kubectl(["get", "pv,pvc,sc"]);
  assert.match(
    rows,
    new RegExp(`persistentvolume/${spec.volumeName} +64Mi +RWO +Delete +Bound +default/data +standard`),
  );
  assert.match(
    rows,
    new RegExp(`persistentvolumeclaim/data +Bound +${spec.volumeName} +64Mi +RWO +standard`),
  );
  assert.match(rows, /standard \(default\) +peapod.dev\/hostpath +Delete +WaitForFirstConsumer +true/);

  // It goes with its last pod, and its volume and the data with it.
  const path = join(cluster.dataDir, "volumes", spec.volumeName);
  assert.equal(readFileSync(join(path, "file"), "utf8"), "kept\n");
  await cluster.kubectl(["delete", "pvc", "data", "--wait=false"]);
  assert.match(await cluster.kubectl(["get", "pvc", "data"]), /Terminating/);
  await remove("pod/reader");
  await cluster.wait("pvc/data", "delete");
  await cluster.wait(`pv/${spec.volumeName}`, "delete");
  assert.equal(existsSync(path), false);
});

test("a volume that is retained outlives its claim with what is in it", async () => {
  const path = join(hostDir, "retained");
  await cluster.apply(volumeAt("retained", { hostPath: { path, type: "DirectoryOrCreate" } }));
  await cluster.apply(claim("retained", { storageClassName: "retained" }));
  await cluster.wait("pvc/retained", "jsonpath={.status.phase}=Bound");
  await cluster.apply(podWith("retains", "retained", "echo still > /data/here"));
  await succeeded("retains");
  // As long as a claim has it, a volume is not deleted either.
  await cluster.kubectl(["delete", "pv", "retained", "--wait=false"]);
  assert.match(await cluster.kubectl(["get", "pv", "retained"]), /Terminating +default\/retained/);
  await remove("pod/retains", "pvc/retained");
  await cluster.wait("pv/retained", "delete");
  assert.equal(readFileSync(join(path, "here"), "utf8"), "still\n");
});

test("a generic ephemeral volume comes and goes with its pod", async () => {
  const { spec } = claim("template");
  await cluster.apply(
    busyboxPod("scratch", "touch /data/file && sleep 3600", {
      containers: [
        {
          ...busyboxPod("", "touch /data/file && exec sleep 3600").spec.containers[0],
          volumeMounts: [{ name: "tmp", mountPath: "/data" }],
        },
      ],
      volumes: [
        {
          name: "tmp",
          ephemeral: { volumeClaimTemplate: { metadata: { labels: { is: "scratch" } }, spec } },
        },
      ],
    }),
  );
  await cluster.wait("pod/scratch", "condition=Ready");
  const made = await cluster.get("pvc", "scratch-tmp");
  assert.equal(made.metadata.labels.is, "scratch");
  assert.deepEqual(
    made.metadata.ownerReferences.map(({ kind, name }: { kind: string; name: string }) => `${kind}/${name}`),
    ["Pod/scratch"],
  );
  await remove("pod/scratch");
  await cluster.wait("pvc/scratch-tmp", "delete");
  await cluster.wait(`pv/${made.spec.volumeName}`, "delete");
});

test("a claim that stands where a pod's own should be is not taken for it", async () => {
  await cluster.apply(claim("robbed-tmp"));
  const { spec } = claim("template");
  await cluster.apply(
    busyboxPod("robbed", "", {
      volumes: [{ name: "tmp", ephemeral: { volumeClaimTemplate: { spec } } }],
    }),
  );
  const why = "PVC default/robbed-tmp was not created for pod default/robbed (pod is not owner)";
  await eventually("it is told", async () =>
    (await eventsOf("robbed")).includes(`FailedBinding: ephemeral volume tmp: ${why}`),
  );
  await eventually("it is not placed", async () =>
    (await eventsOf("robbed")).some((line) =>
      line.startsWith(`FailedScheduling: 0/1 nodes are available: ${why}.`),
    ),
  );
  await remove("pod/robbed", "pvc/robbed-tmp");
});

test("a pod that lacks its claim says so, and starts when it comes", async () => {
  await cluster.apply(podWith("early", "late", "true"));
  const conditionMessage = async () =>
    (await cluster.get("pod", "early")).status.conditions?.find(
      ({ type }: { type: string }) => type === "PodScheduled",
    )?.message;
  await eventually("it says what it lacks", async () =>
    (await conditionMessage())?.startsWith(
      '0/1 nodes are available: persistentvolumeclaim "late" not found.',
    ),
  );
  await cluster.apply(claim("late", { storageClassName: "late" }));
  await eventually("it says that the claim has no volume", async () =>
    (await conditionMessage())?.startsWith(
      "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
    ),
  );
  await cluster.apply(
    volumeAt("late", { hostPath: { path: join(hostDir, "late"), type: "DirectoryOrCreate" } }),
  );
  await succeeded("early");
  await remove("pod/early", "pvc/late", "pv/late");
});

test("a claim for one pod is one pod's, and the next one's when that is gone", async () => {
  await cluster.apply(claim("single", { accessModes: ["ReadWriteOncePod"] }));
  await cluster.apply(podWith("owner", "single"));
  await cluster.wait("pod/owner", "condition=Ready");
  await cluster.apply(podWith("waits", "single"));
  await eventually("the second waits", async () =>
    (await eventsOf("waits")).some((line) =>
      line.startsWith(
        "FailedScheduling: 0/1 nodes are available: 1 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod.",
      ),
    ),
  );
  // One that the scheduler does not place is held back by the node.
  await cluster.apply(podWith("pushes", "single", undefined, { spec: { nodeName: await nodeName() } }));
  await eventually("the node refuses it", async () =>
    (await eventsOf("pushes")).some((line) =>
      /^FailedMount: MountVolume.SetUp failed for volume "pvc-.*" : volume uses the ReadWriteOncePod access mode and is already in use by another pod$/.test(
        line,
      ),
    ),
  );
  await remove("pod/pushes", "pod/owner");
  await cluster.wait("pod/waits", "condition=Ready");
  await remove("pod/waits", "pvc/single");
});

const nodeName = async () => (await cluster.get("nodes")).items[0].metadata.name as string;

const onNode = async () => ({
  nodeAffinity: {
    required: {
      nodeSelectorTerms: [
        {
          matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [await nodeName()] }],
        },
      ],
    },
  },
});

test("a local volume belongs to the pod's group, read-only where that is asked, a part of it where one is named", async () => {
  const path = join(hostDir, "local");
  mkdirSync(join(path, "sub"), { recursive: true });
  writeFileSync(join(path, "sub", "file"), "there\n", { mode: 0o600 });
  await cluster.apply(volumeAt("local", { local: { path }, ...(await onNode()) }));
  await cluster.apply(claim("local", { storageClassName: "local" }));
  const groups = { securityContext: { runAsUser: 1234, fsGroup: 4321 } };
  await cluster.apply(
    podWith("grouped", "local", "cat /data/file && echo new > /data/new", {
      spec: groups,
      mount: { subPath: "sub" },
    }),
  );
  await succeeded("grouped");
  assert.equal(await cluster.kubectl(["logs", "grouped"]), "there\n");
  assert.equal(statSync(join(path, "sub", "new")).gid, 4321);
  assert.equal(statSync(path).mode & 0o7777, 0o2775);

  // A root that is as wanted already: the rest is left alone.
  writeFileSync(join(path, "private"), "", { mode: 0o600 });
  await cluster.apply(
    podWith("looks", "local", "stat -c %a /data/private", {
      spec: { securityContext: { fsGroup: 4321, fsGroupChangePolicy: "OnRootMismatch" } },
    }),
  );
  await cluster.apply(podWith("reads", "local", "! touch /data/x", { claim: { readOnly: true } }));
  await succeeded("looks");
  await succeeded("reads");
  assert.equal(await cluster.kubectl(["logs", "looks"]), "600\n");
  assert.match(await cluster.kubectl(["logs", "reads"]), /Read-only file system/);
  await remove("pod/grouped", "pod/looks", "pod/reads", "pvc/local", "pv/local");
  assert.equal(readFileSync(join(path, "sub", "new"), "utf8"), "new\n");
});

test("a volume that is not where it should be holds its pod back with an event", async () => {
  await cluster.apply(volumeAt("absent", { local: { path: join(hostDir, "absent") }, ...(await onNode()) }));
  await cluster.apply(claim("absent", { storageClassName: "absent" }));
  await cluster.apply(podWith("held", "absent", "true"));
  await eventually("it says why", async () =>
    (await eventsOf("held")).includes(
      `FailedMount: MountVolume.SetUp failed for volume "absent" : path "${join(hostDir, "absent")}" does not exist`,
    ),
  );
  mkdirSync(join(hostDir, "absent"));
  await succeeded("held");
  await remove("pod/held", "pvc/absent", "pv/absent");
});

test("a claim of the default class grows; one of a class that does not allow it is refused", async () => {
  await cluster.apply(claim("grows"));
  await cluster.apply(podWith("uses", "grows"));
  await cluster.wait("pod/uses", "condition=Ready");
  const asks = (storage: string) => JSON.stringify({ spec: { resources: { requests: { storage } } } });
  await cluster.kubectl(["patch", "pvc", "grows", "-p", asks("128Mi")]);
  await cluster.wait("pvc/grows", "jsonpath={.status.capacity.storage}=128Mi");
  const less = await cluster.try(["patch", "pvc", "grows", "-p", asks("32Mi")]);
  assert.match(less.stderr, /field can not be less than status.capacity/);
  await cluster.kubectl(["patch", "sc", "standard", "-p", '{"allowVolumeExpansion":false}']);
  const more = await cluster.try(["patch", "pvc", "grows", "-p", asks("256Mi")]);
  assert.match(
    more.stderr,
    /only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize/,
  );
  await remove("pod/uses", "pvc/grows");
});

test("a claim for more than the disk holds is told so, and its pod waits", async () => {
  await cluster.apply(claim("huge", { resources: { requests: { storage: "64Pi" } } }));
  await cluster.apply(podWith("hopes", "huge"));
  await eventually("the claim is told", async () =>
    (await eventsOf("huge")).some((line) =>
      /^ProvisioningFailed: failed to provision volume with StorageClass "standard": 64Pi were asked for, and the file system holds \d+ bytes$/.test(
        line,
      ),
    ),
  );
  await eventually("so is the pod", async () =>
    (await eventsOf("hopes")).includes(
      'FailedScheduling: running PreBind plugin "VolumeBinding": binding volumes: provisioning failed for PVC "huge"',
    ),
  );
  await remove("pod/hopes", "pvc/huge");
});

test("pods with volumes survive the agent, and their volumes are taken down by the next one", async () => {
  await cluster.apply(claim("survives"));
  await cluster.apply(
    podWith("survivor", "survives", "while true; do date > /data/now; sleep 1; done", {
      spec: { restartPolicy: "Always" },
    }),
  );
  await cluster.wait("pod/survivor", "condition=Ready");
  // Its claim is to go, which is nothing to a pod that has it.
  await cluster.kubectl(["delete", "pvc", "survives", "--wait=false"]);
  const uid = (await cluster.get("pod", "survivor")).metadata.uid;
  await cluster.kill();
  await cluster.up();
  await eventually(
    "it runs on",
    async () => (await cluster.try(["exec", "survivor", "--", "cat", "/data/now"])).exitCode === 0,
  );
  await remove("pod/survivor", "pvc/survives");
  await eventually(
    "nothing is mounted",
    async () => !readFileSync("/proc/self/mountinfo", "utf8").includes(uid),
  );
});
