import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { containerdMissing, createContainerdBed } from "../src/runtime/cri/containerd.suite.ts";
import { eventually, TestCluster } from "./support/cluster.ts";

/** The same node agent with a stock containerd in place of Peapod's own engine. */
const skip = containerdMissing;
let containerd: Awaited<ReturnType<typeof createContainerdBed>> | undefined;
let cluster: TestCluster | undefined;

before(async () => {
  if (skip) return;
  containerd = await createContainerdBed();
  cluster = await TestCluster.start(["--runtime-endpoint", containerd.endpoint]);
  const image = { image: containerd.imageName, imagePullPolicy: "IfNotPresent" };
  await cluster.apply({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "greeting" },
    data: { text: "hello\n" },
  });
  await cluster.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web" },
    spec: {
      terminationGracePeriodSeconds: 1,
      volumes: [{ name: "greeting", configMap: { name: "greeting" } }],
      initContainers: [{ name: "first", ...image, command: ["true"] }],
      containers: [
        {
          name: "main",
          ...image,
          command: ["sh", "-c", "cat /greeting/text; exec sleep 3600"],
          volumeMounts: [{ name: "greeting", mountPath: "/greeting" }],
          readinessProbe: { exec: { command: ["test", "-f", "/greeting/text"] }, periodSeconds: 1 },
        },
        { name: "crashing", ...image, command: ["sh", "-c", "sleep 0.2; exit 4"] },
      ],
    },
  });
});
after(async () => {
  await cluster?.purge();
  await containerd?.close();
});

test("a pod of several containers runs by containerd, with volumes, probes and logs", { skip }, async () => {
  const pod = await eventually("the pod's main container is ready", async () => {
    const found = await cluster!.get("pod", "web");
    const main = found.status.containerStatuses?.find((c: { name: string }) => c.name === "main");
    return main?.ready && found;
  });
  assert.match(pod.status.podIP, /^10\.213\.77\./);
  assert.equal(pod.status.initContainerStatuses[0].state.terminated.reason, "Completed");
  assert.equal(await cluster!.kubectl(["logs", "web", "-c", "main"]), "hello\n");
  const node = (await cluster!.get("nodes")).items[0];
  assert.match(node.status.nodeInfo.containerRuntimeVersion, /^containerd:\/\/\d/);
});

test("kubectl exec reaches into containerd's containers, with input and exit code", { skip }, async () => {
  const { exitCode, stdout } = await cluster!.try(
    ["exec", "-i", "web", "-c", "main", "--", "sh", "-c", "cat; exit 6"],
    { input: "through" },
  );
  assert.deepEqual({ exitCode, stdout }, { exitCode: 6, stdout: "through" });
});

test("a container that ends is started again at once", { skip }, async () => {
  const restarted = await eventually("the second attempt has ended too", async () => {
    const { containerStatuses } = (await cluster!.get("pod", "web")).status;
    return containerStatuses.find(
      (c: { name: string; restartCount: number }) => c.name === "crashing" && c.restartCount >= 1,
    );
  });
  assert.equal(restarted.lastState.terminated.exitCode, 4);
});

test("a deleted pod leaves nothing in containerd", { skip }, async () => {
  await cluster!.kubectl(["delete", "pod", "web"]);
  await eventually("containerd has no container", async () => containerd!.containers().length === 0);
});
