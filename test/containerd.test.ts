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
  const pod = await eventually("the pod's main container is ready, and the other one is there", async () => {
    const found = await cluster!.get("pod", "web");
    const [crashing, main] = found.status.containerStatuses ?? [];
    return main?.ready && crashing.containerID && found;
  });
  assert.match(pod.status.podIP, /^10\.213\.77\./);
  assert.equal(pod.status.initContainerStatuses[0].state.terminated.reason, "Completed");
  const log = await eventually(
    "its words",
    async () => (await cluster!.kubectl(["logs", "web", "-c", "main"])) || undefined,
  );
  assert.equal(log, "hello\n");
  for (const { containerID } of pod.status.containerStatuses)
    assert.match(containerID, /^containerd:\/\/[0-9a-f]{64}$/);
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

test("an engine that cannot mount images says so, and nothing else is mounted in their place", {
  skip,
}, async () => {
  const image = { image: containerd!.imageName, imagePullPolicy: "IfNotPresent" };
  await cluster!.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "image-volume" },
    spec: {
      terminationGracePeriodSeconds: 1,
      volumes: [{ name: "data", image: { reference: image.image, pullPolicy: "IfNotPresent" } }],
      containers: [{ name: "main", ...image, volumeMounts: [{ name: "data", mountPath: "/data" }] }],
    },
  });
  await eventually("it is told", async () => {
    const { containerStatuses } = (await cluster!.get("pod", "image-volume")).status;
    const waiting = containerStatuses?.[0].state.waiting;
    return waiting?.reason === "CreateContainerError" && /volumes of images/.test(waiting.message);
  });
  await cluster!.kubectl(["delete", "pod", "image-volume"]);
});

test("a deleted pod leaves nothing in containerd", { skip }, async () => {
  await cluster!.kubectl(["delete", "pod", "web"]);
  await eventually("containerd has no container", async () => containerd!.containers().length === 0);
});

test("a pod's class names one of containerd's runtimes; what it has not is told by an event", {
  skip,
}, async () => {
  const image = { image: containerd!.imageName, imagePullPolicy: "IfNotPresent" };
  const pod = (name: string, spec: object) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { restartPolicy: "Never", containers: [{ name: "main", ...image, command: ["true"] }], ...spec },
  });
  for (const handler of ["runc", "none"]) {
    await cluster!.apply({
      apiVersion: "node.k8s.io/v1",
      kind: "RuntimeClass",
      metadata: { name: `class-${handler}` },
      handler,
    });
  }
  await cluster!.apply(pod("by-runc", { runtimeClassName: "class-runc" }));
  await cluster!.apply(pod("by-none", { runtimeClassName: "class-none" }));
  await cluster!.apply(pod("mapped", { hostUsers: false }));
  await cluster!.wait("pod/by-runc", "jsonpath={.status.phase}=Succeeded");
  const eventOf = (name: string, pattern: RegExp) =>
    eventually(`the event of ${name}`, async () =>
      pattern.test(await cluster!.kubectl(["events", `--for=pod/${name}`])),
    );
  await eventOf("by-none", /FailedCreatePodSandBox .*no runtime for "none" is configured/);
  await eventOf(
    "mapped",
    /FailedCreatePodSandBox .*can't set `spec.hostUsers: false`, runtime does not support user namespaces/,
  );
  await cluster!.kubectl(["delete", "pod", "by-runc", "by-none", "mapped", "--now"]);
});
