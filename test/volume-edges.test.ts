import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { busyboxPod, eventually, TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
let host: string;
before(async () => {
  host = mkdtempSync(join(tmpdir(), "peapod-host-"));
  cluster = await TestCluster.start();
});
after(async () => {
  await cluster?.purge();
  const mounted = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  for (const line of mounted.filter((each) => each.split(" ")[4]?.startsWith(host)).reverse())
    execFileSync("umount", ["-l", line.split(" ")[4]!]);
  rmSync(host, { recursive: true, force: true });
});

const sh = (pod: string, script: string) => cluster.kubectl(["exec", pod, "--", "sh", "-c", script]);

/** A pod of one container with these volumes and mounts. */
const podWith = (name: string, volumes: object[], volumeMounts: object[], change: object = {}) =>
  busyboxPod(name, undefined, {
    volumes,
    containers: [{ name: "main", image: "busybox", command: ["sleep", "3600"], volumeMounts }],
    ...change,
  });
const ready = async (pod: { metadata: { name: string } }) => {
  await cluster.apply(pod);
  await cluster.wait(`pod/${pod.metadata.name}`, "condition=Ready");
};

test("emptyDirs and their parts are open to all, belong to the pod's group, and end where they must", async () => {
  await ready(
    podWith(
      "empty-dirs",
      [
        { name: "disk", emptyDir: {} },
        { name: "memory", emptyDir: { medium: "Memory" } },
      ],
      [
        { name: "disk", mountPath: "/disk" },
        { name: "memory", mountPath: "/memory" },
        { name: "memory", mountPath: "/part", subPath: "deep/test-sub" },
      ],
      {
        securityContext: { fsGroup: 123 },
        containers: [
          {
            name: "main",
            image: "busybox",
            command: ["sleep", "3600"],
            resources: { limits: { memory: "32Mi" } },
            volumeMounts: [
              { name: "disk", mountPath: "/disk" },
              { name: "memory", mountPath: "/memory" },
              { name: "memory", mountPath: "/part", subPath: "deep/test-sub" },
            ],
          },
        ],
      },
    ),
  );
  assert.equal(
    await sh("empty-dirs", "stat -c '%n %a %u %g' /disk /memory /part"),
    "/disk 2777 0 123\n/memory 3777 0 123\n/part 3777 0 123\n",
  );
  // As large as the pod's memory.
  assert.match(await sh("empty-dirs", "grep ' /memory ' /proc/mounts"), /size=32768k/);
});

test("a part of a volume that a link leads out of is refused, and a link within it is followed", async () => {
  mkdirSync(join(host, "vol/inside"), { recursive: true });
  writeFileSync(join(host, "vol/inside/file"), "inside\n");
  writeFileSync(join(host, "secret"), "secret\n");
  symlinkSync("inside", join(host, "vol/near"));
  symlinkSync("../secret", join(host, "vol/far"));
  symlinkSync(join(host, "secret"), join(host, "vol/absolute"));
  const volumes = [{ name: "vol", hostPath: { path: join(host, "vol") } }];
  await ready(podWith("near", volumes, [{ name: "vol", mountPath: "/v", subPath: "near" }]));
  assert.equal(await sh("near", "cat /v/file"), "inside\n");
  for (const subPath of ["far", "absolute"]) {
    await cluster.apply(podWith(subPath, volumes, [{ name: "vol", mountPath: "/v", subPath }]));
    await eventually(`${subPath} is refused`, async () => {
      const { containerStatuses } = (await cluster.get("pod", subPath)).status;
      const { reason, message } = containerStatuses?.[0].state.waiting ?? {};
      return (
        reason === "CreateContainerConfigError" &&
        message === 'failed to prepare subPath for volumeMount "vol" of container "main"'
      );
    });
  }
});

test("a part of a configMap stays as it was; the whole of it follows, and both outlive their object", async () => {
  await cluster.kubectl(["create", "configmap", "live", "--from-literal=key=one"]);
  await ready(
    podWith(
      "follows",
      [{ name: "cm", configMap: { name: "live" } }],
      [
        { name: "cm", mountPath: "/whole" },
        { name: "cm", mountPath: "/part", subPath: "key" },
      ],
    ),
  );
  // One exec that looks all the time: kubectl's own start is not what is measured.
  const seen = sh("follows", "until [ $(cat /whole/key) = two ]; do usleep 1000; done; date +%s%N");
  await sh("follows", "true");
  await cluster.kubectl(["patch", "configmap", "live", "--type=merge", "-p", '{"data":{"key":"two"}}']);
  await seen;
  assert.equal(await sh("follows", "cat /part"), "one");
  // Its object goes; what the pod has of it stays.
  await cluster.kubectl(["delete", "configmap", "live"]);
  assert.equal(await sh("follows", "cat /whole/key"), "two");
});

test("read-only reaches what is mounted below, where it is asked for, and the status says so", async () => {
  const below = join(host, "tree/below");
  mkdirSync(below, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "below", below]);
  const mount = (name: string, recursiveReadOnly?: string) => ({
    ...{ name: "tree", mountPath: `/${name}`, readOnly: true },
    ...(recursiveReadOnly && { recursiveReadOnly }),
  });
  await ready(
    podWith(
      "recursive",
      [{ name: "tree", hostPath: { path: join(host, "tree") } }],
      [
        mount("plain"),
        mount("enabled", "Enabled"),
        mount("possible", "IfPossible"),
        mount("off", "Disabled"),
      ],
    ),
  );
  const tried = await sh(
    "recursive",
    "for m in plain enabled possible off; do touch /$m/below/$m 2>/dev/null && echo $m; done; true",
  );
  assert.equal(tried, "plain\noff\n");
  const { containerStatuses } = (await cluster.get("pod", "recursive")).status;
  const modes = containerStatuses[0].volumeMounts
    .filter(({ name }: { name: string }) => name === "tree")
    .map(({ mountPath, recursiveReadOnly }: Record<string, string>) => [mountPath, recursiveReadOnly]);
  assert.deepEqual(Object.fromEntries(modes), {
    "/plain": "Disabled",
    "/enabled": "Enabled",
    "/possible": "Enabled",
    "/off": "Disabled",
  });
  const [{ runtimeHandlers }] = (await cluster.get("nodes")).items.map(({ status }: any) => status);
  const [standard] = runtimeHandlers.filter(({ name }: { name: string }) => !name);
  assert.equal(standard.features.recursiveReadOnlyMounts, true);
});

test("mounts reach containers and the host as they are asked to, and no further", async () => {
  const shared = join(host, "shared");
  mkdirSync(shared);
  execFileSync("mount", ["-t", "tmpfs", "shared", shared]);
  execFileSync("mount", ["--make-shared", shared]);
  const member = (name: string, mountPropagation?: string) => ({
    name,
    image: "busybox",
    command: ["sleep", "3600"],
    securityContext: { privileged: true },
    volumeMounts: [{ name: "shared", mountPath: "/mnt/test", ...(mountPropagation && { mountPropagation }) }],
  });
  await ready(
    busyboxPod("propagation", undefined, {
      volumes: [{ name: "shared", hostPath: { path: shared } }],
      containers: [
        member("master", "Bidirectional"),
        member("slave", "HostToContainer"),
        member("private", "None"),
        member("default"),
      ],
    }),
  );
  const inside = (container: string, script: string) =>
    cluster.kubectl(["exec", "propagation", "-c", container, "--", "sh", "-c", script]);
  for (const container of ["master", "slave", "private", "default"])
    await inside(
      container,
      `mkdir /mnt/test/${container}; mount -t tmpfs e2e-mount-propagation /mnt/test/${container}; echo ${container} > /mnt/test/${container}/file`,
    );
  mkdirSync(join(shared, "host"));
  execFileSync("mount", ["-t", "tmpfs", "host", join(shared, "host")]);
  writeFileSync(join(shared, "host/file"), "host\n");
  const seen: Record<string, string> = {
    master: "master\nhost\n",
    slave: "master\nslave\nhost\n",
    private: "private\n",
    default: "default\n",
  };
  for (const [container, expected] of Object.entries(seen))
    assert.equal(
      await inside(
        container,
        "for m in master slave private default host; do cat /mnt/test/$m/file 2>/dev/null; done; true",
      ),
      expected,
      container,
    );
  assert.equal(readFileSync(join(shared, "master/file"), "utf8"), "master\n");
  // What a pod mounted on the host does not keep it from going.
  await cluster.kubectl(["delete", "pod", "propagation"]);
});

test("a hostPath that vanishes under a running pod leaves the pod, and the next one is told", async () => {
  const gone = join(host, "gone");
  mkdirSync(gone);
  writeFileSync(join(gone, "file"), "there\n");
  const volumes = [{ name: "v", hostPath: { path: gone, type: "Directory" } }];
  await ready(podWith("stays", volumes, [{ name: "v", mountPath: "/v" }]));
  rmSync(gone, { recursive: true });
  assert.equal(await sh("stays", "ls /v | wc -l"), "0\n");
  await cluster.apply(podWith("told", volumes, [{ name: "v", mountPath: "/v" }]));
  await eventually("it is told", async () =>
    (await cluster.kubectl(["describe", "pod", "told"])).includes(
      `MountVolume.SetUp failed for volume "v" : hostPath type check failed: ${gone} is not a directory`,
    ),
  );
  await cluster.kubectl(["delete", "pod", "stays", "told"]);
});

test("a pod of many configMaps starts again and again without any of them getting in another's way", async () => {
  const names = Array.from({ length: 50 }, (_, i) => `racey-${i}`);
  const maps = names.map((name) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name },
    data: { "data-1": "value-1" },
  }));
  await cluster.apply({ apiVersion: "v1", kind: "List", items: maps });
  for (let round = 1; round <= 5; round++) {
    const pod = `wrapped-${round}`;
    await ready(
      podWith(
        pod,
        names.map((name) => ({ name, configMap: { name, items: [{ key: "data-1", path: "data-1" }] } })),
        names.map((name) => ({ name, mountPath: `/etc/config/${name}` })),
      ),
    );
    assert.equal(await sh(pod, "cat /etc/config/*/data-1 | wc -c"), `${50 * "value-1".length}\n`);
    await cluster.kubectl(["delete", "pod", pod, "--wait=false"]);
  }
});
