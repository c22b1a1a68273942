import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { busyboxPod, eventually, TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start();
});
after(() => cluster?.purge());

const runtimeClass = (name: string, handler: string, more: object = {}) => ({
  apiVersion: "node.k8s.io/v1",
  kind: "RuntimeClass",
  metadata: { name },
  handler,
  ...more,
});

const isInstalled = (program: string) =>
  existsSync(`/usr/bin/${program}`) || existsSync(`/usr/sbin/${program}`);

test("a pod of a class that never was, or is no more, is forbidden", async () => {
  await cluster.apply(runtimeClass("delete-me", "runc"));
  assert.match(await cluster.kubectl(["get", "runtimeclasses"]), /NAME +HANDLER +AGE\ndelete-me +runc +\d+s/);
  await cluster.kubectl(["delete", "runtimeclass", "delete-me"]);
  for (const runtimeClassName of ["delete-me", "nonexistent"]) {
    const input = JSON.stringify(busyboxPod("refused", "true", { runtimeClassName }));
    const { exitCode, stderr } = await cluster.try(["create", "--dry-run=server", "-f", "-"], { input });
    assert.equal(exitCode, 1);
    assert.match(stderr, new RegExp(`forbidden: pod rejected: RuntimeClass "${runtimeClassName}" not found`));
  }
});

test("a handler that no node has leaves the pod Pending, with an event that names it", async () => {
  await cluster.apply(runtimeClass("unconfigured", "no-such-handler"));
  await cluster.apply(busyboxPod("waits", "true", { runtimeClassName: "unconfigured" }));
  await eventually("the event", async () =>
    /Warning +FailedCreatePodSandBox .*Failed to create pod sandbox: .*no runtime for "no-such-handler" is configured/.test(
      await cluster.kubectl(["events", "--for=pod/waits"]),
    ),
  );
  assert.equal((await cluster.get("pod", "waits")).status.phase, "Pending");
  await cluster.kubectl(["delete", "pod", "waits", "--now"]);
});

test("a class's overhead is the pod's, and counts where it is placed", async () => {
  const overhead = { podFixed: { cpu: "10m", memory: "1Mi" } };
  await cluster.apply(runtimeClass("overhead", "crun", { overhead }));
  await cluster.apply(
    busyboxPod("carries", "exec sleep 3600", { runtimeClassName: "overhead", restartPolicy: "Never" }),
  );
  await cluster.wait("pod/carries", "condition=Ready");
  assert.deepEqual((await cluster.get("pod", "carries")).spec.overhead, overhead.podFixed);
  assert.match(await cluster.kubectl(["describe", "node"]), /carries +10m \(\d+%\) .* 1Mi/);
});

test("a class's scheduling decides where its pods go", async () => {
  await cluster.apply(
    runtimeClass("elsewhere", "crun", { scheduling: { nodeSelector: { "no-such": "node" } } }),
  );
  await cluster.apply(busyboxPod("nowhere", "true", { runtimeClassName: "elsewhere" }));
  await cluster.wait("pod/nowhere", "jsonpath={.status.conditions[?(@.type=='PodScheduled')].status}=False");
  const { spec } = await cluster.get("pod", "nowhere");
  assert.deepEqual(spec.nodeSelector, { "no-such": "node" });
});

test("the node says which handlers it has", async () => {
  const { items } = await cluster.get("nodes");
  const names = items[0].status.runtimeHandlers.map(({ name = "" }) => name);
  for (const name of ["", "crun"]) assert.ok(names.includes(name), name);
});

for (const handler of ["crun", "runc", "runsc"]) {
  const skip = isInstalled(handler) ? false : `${handler} is not installed`;
  test(`pods run under ${handler}: shared volumes, exec, logs, an end with its code`, { skip }, async () => {
    const mounts = [{ name: "shared", mountPath: "/data" }];
    const script = "hostname > /data/name; exec sleep 3600";
    await cluster.apply(runtimeClass(handler, handler));
    await cluster.apply(
      busyboxPod(`under-${handler}`, "", {
        runtimeClassName: handler,
        volumes: [{ name: "shared", emptyDir: {} }],
        containers: [
          { name: "main", image: "busybox", command: ["sh", "-c", script], volumeMounts: mounts },
          {
            name: "reader",
            image: "busybox",
            command: ["sh", "-c", "until grep . /data/name; do sleep 0.1; done; exec sleep 3600"],
            volumeMounts: mounts,
          },
        ],
      }),
    );
    await cluster.apply(
      busyboxPod(`ends-${handler}`, "exit 7", { runtimeClassName: handler, restartPolicy: "Never" }),
    );
    await cluster.wait(`pod/under-${handler}`, "condition=Ready");
    await eventually("the other container reads what the first wrote", async () =>
      (await cluster.kubectl(["logs", `under-${handler}`, "-c", "reader"])).includes(`under-${handler}`),
    );
    assert.equal(
      await cluster.kubectl(["exec", `under-${handler}`, "-c", "main", "--", "cat", "/data/name"]),
      `under-${handler}\n`,
    );
    await cluster.wait(`pod/ends-${handler}`, "jsonpath={.status.phase}=Failed");
    const { status } = await cluster.get("pod", `ends-${handler}`);
    assert.equal(status.containerStatuses[0].state.terminated.exitCode, 7);
    await cluster.kubectl(["delete", "pod", `under-${handler}`, `ends-${handler}`]);
  });
}
