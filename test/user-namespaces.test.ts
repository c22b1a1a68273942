import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { supportsUserNamespaces } from "../src/runtime/linux/user-namespace.ts";
import { busyboxPod, eventually, TestCluster } from "./support/cluster.ts";

const skip = supportsUserNamespaces() ? false : "this kernel maps no users in overlayfs' layers";

let cluster: TestCluster;
let hostDir: string;
before(async () => {
  if (skip) return;
  cluster = await TestCluster.start();
  hostDir = await mkdtemp(join(tmpdir(), "peapod-users-"));
  await writeFile(join(hostDir, "file"), "of the host");
  await cluster.kubectl(["create", "configmap", "settings", "--from-literal=key=value"]);
  await cluster.kubectl(["create", "secret", "generic", "keys", "--from-literal=key=value"]);
});
after(async () => {
  await cluster?.purge();
  if (hostDir) await rm(hostDir, { recursive: true, force: true });
});

const logsOf = async (name: string) => {
  await cluster.wait(`pod/${name}`, "jsonpath={.status.phase}=Succeeded");
  return cluster.kubectl(["logs", name]);
};
const once = (name: string, script: string, spec: object = {}) =>
  cluster.apply(busyboxPod(name, script, { restartPolicy: "Never", hostUsers: false, ...spec }));

test("hostUsers false gives each pod a range of users of its own, true none", { skip }, async () => {
  await once("mapped-a", "cat /proc/self/uid_map /proc/self/gid_map; id -u");
  await once("mapped-b", "cat /proc/self/uid_map");
  await once("unmapped", "cat /proc/self/uid_map", { hostUsers: true });
  const [a, b, unmapped] = await Promise.all(["mapped-a", "mapped-b", "unmapped"].map(logsOf));
  const [, uids, gids, id] = /^ +0 +(\d+) +65536\n +0 +(\d+) +65536\n(\d+)\n$/.exec(a!)!;
  assert.equal(uids, gids);
  assert.equal(id, "0");
  const other = Number(/^ +0 +(\d+) +65536\n$/.exec(b!)![1]);
  assert.ok(Number(uids) >= 65_536 && Math.abs(other - Number(uids)) >= 65_536, `${uids} ${other}`);
  assert.match(unmapped!, /^ +0 +0 +4294967295\n$/);
});

test("volumes of every kind are root's inside, and stay the host's root's on the disk", {
  skip,
}, async () => {
  const item = { path: "name", fieldRef: { fieldPath: "metadata.name" } };
  const volumes = {
    config: { configMap: { name: "settings" } },
    secret: { secret: { secretName: "keys" } },
    downward: { downwardAPI: { items: [item] } },
    projected: {
      projected: { sources: [{ configMap: { name: "settings" } }, { downwardAPI: { items: [item] } }] },
    },
    empty: { emptyDir: {} },
    memory: { emptyDir: { medium: "Memory" } },
    host: { hostPath: { path: hostDir } },
  };
  const names = Object.keys(volumes);
  const files = ["config/key", "secret/key", "downward/name", "projected/key", "projected/name", "host/file"];
  const script = `
    for each in ${files.join(" ")} ${names.join(" ")}; do stat -L -c '%n %u:%g' /vol/$each; done
    for each in empty memory host; do touch /vol/$each/made; stat -c '%n %u:%g' /vol/$each/made; done
    touch /vol/host/of-1000 && chown 1000:1000 /vol/host/of-1000; cat /vol/host/file; echo
    stat -c '%n %u:%g' /etc/hosts /etc/resolv.conf /dev/termination-log`;
  await once("volumes", script, {
    volumes: Object.entries(volumes).map(([name, source]) => ({ name, ...source })),
    containers: [
      {
        name: "main",
        image: "busybox",
        command: ["sh", "-c", script],
        volumeMounts: names.map((name) => ({ name, mountPath: `/vol/${name}` })),
      },
    ],
  });
  const log = await logsOf("volumes");
  for (const line of log.trim().split("\n")) if (line !== "of the host") assert.match(line, / 0:0$/, log);
  assert.equal((await stat(join(hostDir, "made"))).uid, 0);
  assert.equal((await stat(join(hostDir, "of-1000"))).uid, 1000);
});

test("fsGroup, users and groups are what the pod says, as seen inside", { skip }, async () => {
  await once("groups", "id -u; id -G; stat -L -c %g /data /conf/key; touch /data/x; stat -c %u:%g /data/x", {
    securityContext: { runAsUser: 1000, runAsGroup: 2000, fsGroup: 3000, supplementalGroups: [4000] },
    volumes: [
      { name: "data", emptyDir: {} },
      { name: "conf", configMap: { name: "settings" } },
    ],
    containers: [
      {
        name: "main",
        image: "busybox",
        command: [
          "sh",
          "-c",
          "id -u; id -G; stat -L -c %g /data /conf/key; touch /data/x; stat -c %u:%g /data/x",
        ],
        volumeMounts: [
          { name: "data", mountPath: "/data" },
          { name: "conf", mountPath: "/conf" },
        ],
      },
    ],
  });
  assert.equal(await logsOf("groups"), "1000\n2000 3000 4000\n3000\n3000\n1000:3000\n");
  const { status } = await cluster.get("pod", "groups");
  assert.deepEqual(status.containerStatuses[0].user.linux, {
    uid: 1000,
    gid: 2000,
    supplementalGroups: [2000, 3000, 4000],
  });
});

test("capabilities are those of the pod's own namespaces, and a pod keeps its users over a restart of its container", {
  skip,
}, async () => {
  await cluster.apply(
    busyboxPod("keeps", "", {
      hostUsers: false,
      securityContext: { sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }] },
      containers: [
        {
          name: "main",
          image: "busybox",
          command: [
            "sh",
            "-c",
            "cat /proc/self/uid_map; ip addr add 192.0.2.9/32 dev lo && echo added; until [ -e /stop ]; do sleep 0.1; done",
          ],
          securityContext: { capabilities: { add: ["NET_ADMIN"] }, procMount: "Unmasked" },
        },
      ],
    }),
  );
  await cluster.wait("pod/keeps", "condition=Ready");
  const wordsOf = (last: string) =>
    eventually("its words", async () => {
      const log = await cluster.kubectl(["logs", "keeps"]);
      return log.includes(last) && log;
    });
  const before = await wordsOf("added");
  const exec = (...command: string[]) => cluster.kubectl(["exec", "keeps", "--", ...command]);
  assert.equal(await exec("cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"), "0\n");
  assert.doesNotMatch(await exec("cat", "/proc/self/mounts"), / \/proc\/\S+ /, "an unmasked /proc");
  await exec("touch", "/stop");
  await cluster.wait("pod/keeps", "jsonpath={.status.containerStatuses[0].restartCount}=1");
  await cluster.wait("pod/keeps", "condition=Ready");
  assert.equal((await wordsOf("\n")).split("\n")[0], before.split("\n")[0]);
});

test("what does not go with users of the pod's own is refused by the API", { skip }, async () => {
  const refused = async (spec: Record<string, unknown>, message: RegExp) => {
    const input = JSON.stringify(busyboxPod("refused", "true", spec));
    const { stderr } = await cluster.try(["create", "-f", "-"], { input });
    assert.match(stderr, message);
  };
  await refused(
    { hostUsers: false, hostNetwork: true },
    /spec\.hostNetwork: Forbidden: when `hostUsers` is false/,
  );
  await refused({ hostUsers: false, hostPID: true }, /spec\.HostPID: Forbidden: when `hostUsers` is false/);
  await refused({ hostUsers: false, hostIPC: true }, /spec\.HostIPC: Forbidden: when `hostUsers` is false/);
  await refused(
    { containers: [{ name: "main", image: "busybox", securityContext: { procMount: "Unmasked" } }] },
    /procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`/,
  );
});

test("a handler without user namespaces says so", { skip }, async () => {
  await cluster.apply({
    apiVersion: "node.k8s.io/v1",
    kind: "RuntimeClass",
    metadata: { name: "gvisor" },
    handler: "runsc",
  });
  await once("refused", "true", { runtimeClassName: "gvisor" });
  await eventually("the event", async () =>
    /FailedCreatePodSandBox .*can't set `spec.hostUsers: false`, RuntimeClass handler "runsc" does not support user namespaces/.test(
      await cluster.kubectl(["events", "--for=pod/refused"]),
    ),
  );
});
