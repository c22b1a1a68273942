import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { busyboxPod, eventually, TestCluster } from "./support/cluster.ts";
import { DriverProcess } from "./support/csi/driver-process.ts";

const name = "inline.csi.test";
let cluster: TestCluster;
let driver: DriverProcess;
before(async () => {
  cluster = await TestCluster.start();
  driver = DriverProcess.of(join(cluster.dataDir, "kubelet"), {
    name,
    stateDir: join(cluster.dataDir, "csi"),
    topology: { "topology.csi.test/node": "here" },
    volumesMax: 7,
  });
  await cluster.apply({
    apiVersion: "storage.k8s.io/v1",
    kind: "CSIDriver",
    metadata: { name },
    spec: {
      attachRequired: false,
      podInfoOnMount: true,
      fsGroupPolicy: "File",
      volumeLifecycleModes: ["Ephemeral"],
      tokenRequests: [{ audience: "vault", expirationSeconds: 3600 }],
      serviceAccountTokenInSecrets: true,
    },
  });
});
after(async () => {
  await driver?.stop();
  await cluster?.purge();
});

const csiPod = (pod: string, csi: object = {}, change: object = {}) =>
  busyboxPod(pod, undefined, {
    volumes: [{ name: "data", csi: { driver: name, volumeAttributes: { size: "1Mi" }, ...csi } }],
    containers: [
      {
        name: "main",
        image: "busybox",
        command: ["sh", "-c", "echo hello > /data/file; exec sleep 3600"],
        volumeMounts: [{ name: "data", mountPath: "/data" }],
      },
    ],
    ...change,
  });
const mounts = () =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes("kubernetes.io~csi") && line.includes(cluster.dataDir));

test("a pod waits for a CSI driver that is not there, says so, and starts once it has registered", async () => {
  await cluster.apply(csiPod("early"));
  await eventually("it is told", async () =>
    (await cluster.kubectl(["describe", "pod", "early"])).includes(
      `MountVolume.SetUp failed for volume "data" : kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name ${name} not found in the list of registered CSI drivers`,
    ),
  );
  assert.equal((await cluster.get("csinodes")).items[0].spec.drivers?.length ?? 0, 0);
  await driver.start();
  await cluster.wait("pod/early", "condition=Ready");
  const [csiNode] = (await cluster.get("csinodes")).items;
  const [node] = (await cluster.get("nodes")).items;
  assert.deepEqual(csiNode.spec.drivers, [
    {
      name,
      nodeID: "node-of-driver",
      topologyKeys: ["topology.csi.test/node"],
      allocatable: { count: 7 },
    },
  ]);
  assert.equal(csiNode.metadata.ownerReferences[0].uid, node.metadata.uid);
  assert.equal(node.metadata.labels["topology.csi.test/node"], "here");
  assert.equal(
    node.metadata.annotations["csi.volume.kubernetes.io/nodeid"],
    JSON.stringify({ [name]: "node-of-driver" }),
  );
  assert.deepEqual(driver.calls("NotifyRegistrationStatus")[0]!.request, {
    pluginRegistered: true,
    error: "",
  });
});

test("the driver is told of the pod, its secret, its tokens and how the volume is used", async () => {
  await cluster.kubectl(["create", "secret", "generic", "door", "--from-literal=key=open"]);
  await cluster.apply(
    csiPod(
      "told",
      { readOnly: true, fsType: "ext4", nodePublishSecretRef: { name: "door" } },
      {
        containers: [
          {
            name: "main",
            image: "busybox",
            command: ["sh", "-c", "touch /data/x 2>&1; exec sleep 3600"],
            volumeMounts: [{ name: "data", mountPath: "/data" }],
          },
        ],
      },
    ),
  );
  await cluster.wait("pod/told", "condition=Ready");
  assert.match(await cluster.kubectl(["logs", "told"]), /Read-only file system/);
  const { metadata } = await cluster.get("pod", "told");
  const { request } = driver.calls("NodePublishVolume").at(-1)!;
  assert.match(request.volumeId, /^csi-[0-9a-f]{64}$/);
  assert.equal(request.readonly, true);
  assert.deepEqual(request.volumeCapability, {
    block: null,
    mount: { fsType: "ext4", mountFlags: [], volumeMountGroup: "" },
    accessMode: { mode: "SINGLE_NODE_WRITER" },
  });
  assert.deepEqual(request.volumeContext, {
    size: "1Mi",
    "csi.storage.k8s.io/pod.name": "told",
    "csi.storage.k8s.io/pod.namespace": "default",
    "csi.storage.k8s.io/pod.uid": metadata.uid,
    "csi.storage.k8s.io/serviceAccount.name": "default",
    "csi.storage.k8s.io/ephemeral": "true",
  });
  assert.equal(request.secrets.key, "open");
  const tokens = JSON.parse(request.secrets["csi.storage.k8s.io/serviceAccount.tokens"]);
  const claims = JSON.parse(Buffer.from(tokens.vault.token.split(".")[1], "base64url").toString());
  assert.deepEqual(claims.aud, ["vault"]);
  assert.equal(claims["kubernetes.io"].pod.name, "told");
});

test("an fsGroup owns the volume where the driver leaves that to the node", async () => {
  await cluster.apply(csiPod("grouped", {}, { securityContext: { runAsUser: 1000, fsGroup: 2000 } }));
  await cluster.wait("pod/grouped", "condition=Ready");
  assert.match(
    await cluster.kubectl(["exec", "grouped", "--", "stat", "-c", "%g %a", "/data", "/data/file"]),
    /^2000 2\d7\d\n2000 6/,
  );
});

test("a volume outlives a killed agent, and the next one takes it down with its pod", async () => {
  await cluster.kill();
  await cluster.up();
  assert.equal(await cluster.kubectl(["exec", "early", "--", "cat", "/data/file"]), "hello\n");
  const pod = await cluster.get("pod", "early");
  await cluster.kill();
  await cluster.up();
  await cluster.kubectl(["delete", "pod", "early", "told", "grouped"]);
  assert.deepEqual(mounts(), []);
  const folder = join(cluster.dataDir, "kubelet/pods", pod.metadata.uid);
  await eventually("its folder is gone", async () => !existsSync(folder));
  const unpublished = driver.calls("NodeUnpublishVolume").map(({ request }) => request.targetPath);
  assert.ok(unpublished.includes(join(folder, "volumes/kubernetes.io~csi/data/mount")));
});

test("a driver that refuses is told as an event, and is asked again until it does not", async () => {
  driver.fault("NodePublishVolume", "13 the disk is on fire");
  await cluster.apply(csiPod("refused"));
  await eventually("it is told", async () =>
    (await cluster.kubectl(["describe", "pod", "refused"])).includes(
      'MountVolume.SetUp failed for volume "data" : rpc error: code = Internal desc = the disk is on fire',
    ),
  );
  driver.fault("NodePublishVolume", undefined);
  await cluster.wait("pod/refused", "condition=Ready");
  await cluster.kubectl(["delete", "pod", "refused"]);
});

test("a pod whose driver hangs, or is gone, is deleted once the driver answers again", async () => {
  driver.fault("NodePublishVolume", "hang");
  await cluster.apply(csiPod("hangs"));
  const asked = driver.calls("NodePublishVolume").length;
  await eventually("the driver is asked", async () => driver.calls("NodePublishVolume").length > asked - 1);
  driver.fault("NodeUnpublishVolume", "14 not now");
  await cluster.kubectl(["delete", "pod", "hangs", "--wait=false"]);
  await eventually("it is to be taken down", async () =>
    driver
      .calls("NodeUnpublishVolume")
      .some(({ request }) => request.volumeId === driver.calls("NodePublishVolume").at(-1)!.request.volumeId),
  );
  await driver.kill();
  driver.fault("NodePublishVolume", undefined);
  driver.fault("NodeUnpublishVolume", undefined);
  await driver.start();
  await cluster.wait("pod/hangs", "delete");
  assert.deepEqual(mounts(), []);
});

test("a driver that does not have volumes of pods, or has no CSIDriver object, is not asked for one", async () => {
  await cluster.apply(csiPod("unknown", { driver: "other.csi.test" }));
  const other = DriverProcess.of(join(cluster.dataDir, "kubelet"), {
    name: "other.csi.test",
    stateDir: join(cluster.dataDir, "csi-other"),
  });
  await other.start();
  try {
    const told = (text: string) =>
      eventually(text, async () => (await cluster.kubectl(["describe", "pod", "unknown"])).includes(text));
    await told('volume mode "Ephemeral" not supported by driver other.csi.test (no CSIDriver object)');
    const object = {
      apiVersion: "storage.k8s.io/v1",
      kind: "CSIDriver",
      metadata: { name: "other.csi.test" },
    };
    await cluster.apply({ ...object, spec: { attachRequired: false } });
    await told('not supported by driver other.csi.test (only supports ["Persistent"])');
    assert.deepEqual(other.calls("NodePublishVolume"), []);
    await cluster.kubectl(["delete", "pod", "unknown"]);
  } finally {
    await other.stop();
  }
  await eventually("it is off the node", async () =>
    (await cluster.get("csinodes")).items[0].spec.drivers.every(
      (each: { name: string }) => each.name !== "other.csi.test",
    ),
  );
});
