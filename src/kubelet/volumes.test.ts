import assert from "node:assert/strict";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
import { SteppedClock } from "../base/index.ts";
import { startNode, type TestNode } from "./testing/node.ts";

const isReady = ({ status }: corev1.Pod) =>
  status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") === true;

async function steppedNode(): Promise<TestNode & { clock: SteppedClock }> {
  return (await startNode({ clock: new SteppedClock() })) as TestNode & { clock: SteppedClock };
}

const configMap = (name: string, data: Record<string, string>) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
  data,
});
const secret = (name: string, data: Record<string, string>) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace: "default" },
  data: Object.fromEntries(Object.entries(data).map(([k, v]) => [k, Buffer.from(v).toString("base64")])),
});

/** Where a container sees its mount, on the host. */
function mountOf(node: TestNode, container: string, path: string) {
  const { mounts } = node.runtime.configOf(node.runtime.find(container)!.id);
  return mounts.find(({ containerPath }) => containerPath === path)!;
}

test("a configMap's files follow their object while the pod runs, all at once", async () => {
  await using node = await steppedNode();
  node.api.put("configmaps", configMap("settings", { "a.conf": "one", "b.conf": "one" }));
  node.bind({
    name: "p",
    volumes: [{ name: "v", configMap: { name: "settings", defaultMode: 0o640 } }],
    containers: [{ name: "c", image: "i", volumeMounts: [{ name: "v", mountPath: "/etc/settings" }] }],
  });
  await node.until("p", isReady);
  const mount = mountOf(node, "c", "/etc/settings");
  assert.equal(mount.readOnly, true);
  assert.equal(await readFile(join(mount.hostPath, "a.conf"), "utf8"), "one");
  assert.equal((await stat(join(mount.hostPath, "a.conf"))).mode & 0o777, 0o640);
  node.api.put("configmaps", configMap("settings", { "a.conf": "two", "c.conf": "two" }));
  await node.eventually("the files are new", async () => {
    const text = await readFile(join(mount.hostPath, "a.conf"), "utf8");
    return text === "two" ? true : undefined;
  });
  await node.eventually("the links follow", async () => {
    const names = (await readdir(mount.hostPath)).filter((name) => !name.startsWith(".."));
    return JSON.stringify(names.sort()) === '["a.conf","c.conf"]' ? true : undefined;
  });
});

test("an immutable configMap is read and not watched; once its pods are gone, another of its name is", async () => {
  await using node = await steppedNode();
  const fixed = (value: string) => ({ ...configMap("fixed", { key: value }), immutable: true });
  node.api.put("configmaps", fixed("one"));
  node.api.put("configmaps", configMap("live", { key: "one" }));
  const volumes = ["fixed", "live"].map((name) => ({ name, configMap: { name } }));
  const volumeMounts = ["fixed", "live"].map((name) => ({ name, mountPath: `/${name}` }));
  const start = (name: string) =>
    node.bind({ name, volumes, containers: [{ name: `c-${name}`, image: "i", volumeMounts }] });
  start("p");
  await node.until("p", isReady);
  // As if somebody had made it anew behind the node's back.
  node.api.put("configmaps", fixed("two"));
  node.api.put("configmaps", configMap("live", { key: "two" }));
  const read = (container: string, path: string) =>
    readFile(join(mountOf(node, container, path).hostPath, "key"), "utf8");
  await node.eventually("the other one follows", async () =>
    (await read("c-p", "/live")) === "two" ? true : undefined,
  );
  assert.equal(await read("c-p", "/fixed"), "one");
  const { hostPath } = mountOf(node, "c-p", "/fixed");
  node.api.remove("pods", "default", "p");
  await node.eventually("its volumes are gone", async () =>
    (await stat(hostPath).catch(() => undefined)) ? undefined : true,
  );
  start("q");
  await node.until("q", isReady);
  assert.equal(await read("c-q", "/fixed"), "two");
});

test("a pod waits for a configMap that is not there, and starts when it comes", async () => {
  await using node = await steppedNode();
  node.bind({
    name: "p",
    volumes: [{ name: "v", configMap: { name: "late" } }],
    containers: [{ name: "c", image: "i", volumeMounts: [{ name: "v", mountPath: "/v" }] }],
  });
  await node.eventually("it is told", () =>
    node.seen.find(({ reason }) => reason === "FailedMount")?.message ===
    'MountVolume.SetUp failed for volume "v" : configmap "late" not found'
      ? true
      : undefined,
  );
  const waiting = await node.until("p", ({ status }) => status?.podIP !== undefined);
  const ready = waiting.status!.conditions!.find(({ type }) => type === "PodReadyToStartContainers")!;
  assert.equal(ready.status, "False");
  assert.equal(waiting.status!.containerStatuses![0]!.state!.waiting!.reason, "ContainerCreating");
  node.api.put("configmaps", configMap("late", { key: "value" }));
  await node.until("p", isReady);
});

test("variables come from configMaps, secrets, fields and resources, and may use each other", async () => {
  await using node = await steppedNode();
  node.api.put("configmaps", configMap("cm", { COLOUR: "blue", "dotted.key": "dot" }));
  node.api.put("secrets", secret("s", { password: "hunter2" }));
  node.bind({
    name: "p",
    labels: { app: "web" },
    containers: [
      {
        name: "c",
        image: "i",
        command: ["serve", "$(COLOUR)", "$(MISSING)", "$$(COLOUR)"],
        resources: { requests: { cpu: "250m", memory: "64Mi" }, limits: { memory: "128Mi" } },
        envFrom: [
          { prefix: "CM_", configMapRef: { name: "cm" } },
          { secretRef: { name: "none", optional: true } },
        ],
        env: [
          { name: "COLOUR", valueFrom: { configMapKeyRef: { name: "cm", key: "COLOUR" } } },
          { name: "SENTENCE", value: "$(COLOUR) sky at $(KUBERNETES_SERVICE_HOST)" },
          { name: "PASSWORD", valueFrom: { secretKeyRef: { name: "s", key: "password" } } },
          { name: "ABSENT", valueFrom: { secretKeyRef: { name: "s", key: "no", optional: true } } },
          { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
          { name: "APP", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
          { name: "MEMORY", valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } } },
          { name: "CPU", valueFrom: { resourceFieldRef: { resource: "requests.cpu", divisor: "1m" } } },
        ],
      },
    ],
  });
  await node.until("p", isReady);
  const config = node.runtime.configOf(node.runtime.find("c")!.id);
  const env = new Map(config.env.map(({ name, value }) => [name, value]));
  assert.deepEqual(Object.fromEntries([...env].filter(([name]) => !name.startsWith("KUBERNETES_"))), {
    CM_COLOUR: "blue",
    "CM_dotted.key": "dot",
    COLOUR: "blue",
    SENTENCE: "blue sky at 10.96.0.1",
    PASSWORD: "hunter2",
    POD_IP: "10.88.0.2",
    APP: "web",
    MEMORY: "128",
    CPU: "250",
  });
  assert.deepEqual(config.command, ["serve", "blue", "$(MISSING)", "$(COLOUR)"]);
  assert.equal(config.linux.resources.memoryLimitBytes, 128 * 2 ** 20);
  assert.equal(config.linux.resources.cpuShares, 256);
});

test("a variable's secret that is not there shows CreateContainerConfigError until it comes", async () => {
  await using node = await steppedNode();
  const env = [{ name: "P", valueFrom: { secretKeyRef: { name: "late", key: "password" } } }];
  node.bind({ name: "p", containers: [{ name: "c", image: "i", env }] });
  const waiting = await node.until(
    "p",
    ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === "CreateContainerConfigError",
  );
  assert.equal(waiting.status!.containerStatuses![0]!.state!.waiting!.message, 'secret "late" not found');
  node.api.put("secrets", secret("late", { password: "x" }));
  await node.until("p", isReady);
});

test("a service account's token is mounted, readable, and renewed after four fifths of its life", async () => {
  await using node = await steppedNode();
  node.api.put("configmaps", configMap("kube-root-ca.crt", { "ca.crt": "CA" }));
  const sources = [
    { serviceAccountToken: { path: "token", expirationSeconds: 3600 } },
    { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
    { downwardAPI: { items: [{ path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } }] } },
  ];
  node.bind({
    name: "p",
    volumes: [{ name: "v", projected: { defaultMode: 0o644, sources } }],
    containers: [{ name: "c", image: "i", volumeMounts: [{ name: "v", mountPath: "/sa", readOnly: true }] }],
  });
  await node.until("p", isReady);
  const { hostPath } = mountOf(node, "c", "/sa");
  const read = (name: string) => readFile(join(hostPath, name), "utf8");
  const first = await read("token");
  assert.match(first, /^token-/);
  assert.equal(await read("namespace"), "default");
  assert.equal(await read("ca.crt"), "CA");
  const request = node.api.requests.find(({ subresource }) => subresource === "token")!;
  assert.equal(request.body!.spec.boundObjectRef.uid, node.pod("p")!.metadata.uid);
  await node.clock.step(2_870_000);
  assert.equal(await read("token"), first);
  await node.clock.step(20_000);
  await node.eventually("the token is another", async () =>
    (await read("token")) === first ? undefined : true,
  );
});

test("labels that change show in a downwardAPI volume", async () => {
  await using node = await steppedNode();
  const items = [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }];
  node.bind({
    name: "p",
    labels: { a: "1" },
    volumes: [{ name: "v", downwardAPI: { items } }],
    containers: [{ name: "c", image: "i", volumeMounts: [{ name: "v", mountPath: "/pod" }] }],
  });
  const pod = await node.until("p", isReady);
  const { hostPath } = mountOf(node, "c", "/pod");
  assert.equal(await readFile(join(hostPath, "labels"), "utf8"), 'a="1"');
  node.api.put("pods", { ...pod, metadata: { ...pod.metadata, labels: { a: "1", b: "two words" } } });
  await node.eventually("the file is new", async () => {
    const text = await readFile(join(hostPath, "labels"), "utf8");
    return text === 'a="1"\nb="two words"' ? true : undefined;
  });
});

test("an emptyDir is shared by the containers, and every pod has its own /etc/hosts", async () => {
  await using node = await steppedNode();
  const volumeMounts = [{ name: "shared", mountPath: "/shared" }];
  node.bind({
    name: "p",
    hostname: "host",
    subdomain: "sub",
    hostAliases: [{ ip: "203.0.113.1", hostnames: ["one", "two"] }],
    volumes: [{ name: "shared", emptyDir: {} }],
    containers: [
      { name: "a", image: "i", volumeMounts },
      { name: "b", image: "i", volumeMounts },
    ],
  });
  await node.until("p", isReady);
  const [a, b] = [mountOf(node, "a", "/shared"), mountOf(node, "b", "/shared")];
  assert.equal(a.hostPath, b.hostPath);
  assert.equal((await stat(a.hostPath)).mode & 0o777, 0o777);
  const hosts = await readFile(mountOf(node, "a", "/etc/hosts").hostPath, "utf8");
  assert.match(hosts, /^# Kubernetes-managed hosts file\.\n127\.0\.0\.1\tlocalhost\n/);
  assert.match(hosts, /\n10\.88\.0\.2\thost\.sub\.default\.svc\.cluster\.local\thost\n/);
  assert.match(hosts, /\n# Entries added by HostAliases\.\n203\.0\.113\.1\tone\ttwo\n$/);
});
