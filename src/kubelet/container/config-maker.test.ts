import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { SeededRandom } from "../../base/index.ts";
import type { Image } from "../../runtime/index.ts";
import type { ObjectCache } from "../references/object-cache.ts";
import type { SubPaths } from "../volumes/sub-path.ts";
import { ConfigMaker } from "./config-maker.ts";

const dir = await mkdtemp(join(tmpdir(), "peapod-config-"));
after(() => rm(dir, { recursive: true, force: true }));
const data = join(dir, "data");
await mkdir(data);
await writeFile(join(data, "vars.env"), "# of the volume\nMODE='fast'\nOTHER='1'\n");

const maker = new ConfigMaker({
  podsDir: join(dir, "pods"),
  logsDir: join(dir, "logs"),
  random: new SeededRandom(1),
  events: { event: () => {}, annotatedEvent: () => {} },
  objects: { forPod: () => ({}), onChange: () => () => {} } as unknown as ObjectCache,
  subPaths: { prepare: async ({ subPath }: { subPath: string }) => `sub:${subPath}` } as unknown as SubPaths,
  hostDns: () => ({ servers: [], searches: [], options: [] }),
  podPidsMax: -1,
  clusterDns: { servers: [], domain: "cluster.local" },
  nodeMemory: { memoryBytes: 2 ** 30, hugepages: [], oomKills: "process" },
  node: () => ({ hostIps: ["192.0.2.1"], allocatable: {} }),
  serviceEnv: () => new Map(),
  runtimeHandler: async (name) => `handler-of-${name}`,
  mountsReadOnlyRecursively: async (handler) => handler === "",
  podUsers: async () => ({ hostId: 65_536, length: 65_536 }),
  seccompRoot: "/seccomp",
  seccompDefault: "RuntimeDefault",
  securityModules: { appArmor: false, seLinux: false },
});

const podOf = (spec: Partial<corev1.PodSpec>, container: Partial<corev1.Container> = {}): corev1.Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "shop", uid: "u1" },
  spec: { containers: [{ name: "main", image: "i", ...container }], ...spec },
});
const configOf = async (pod: corev1.Pod) => {
  const made = await maker.container(
    pod,
    pod.spec!.containers[0]!,
    { attempt: 0, backoffMs: 0 },
    {
      image: { id: "sha256:1", user: { uid: 0 } } as Image,
      podIps: [],
      volumes: new Map([["data", { hostPath: data, readOnly: false }]]),
      onRetry: () => {},
      runningId: () => undefined,
    },
  );
  return made.config;
};

const namespaces: [what: string, spec: Partial<corev1.PodSpec>, network: string, ipc: string, pid: string][] =
  [
    ["of its own by default, and each container its processes", {}, "pod", "pod", "container"],
    ["the host's network with hostNetwork", { hostNetwork: true }, "node", "pod", "container"],
    ["the host's processes with hostPID", { hostPID: true }, "pod", "pod", "node"],
    ["the host's IPC with hostIPC", { hostIPC: true }, "pod", "node", "container"],
    ["one set of processes with shareProcessNamespace", { shareProcessNamespace: true }, "pod", "pod", "pod"],
  ];
for (const [what, spec, network, ipc, pid] of namespaces) {
  test(`a pod has namespaces ${what}`, async () => {
    const { linux } = await maker.sandbox(podOf(spec), 0);
    assert.deepEqual(linux.namespaces, { network, ipc, pid });
  });
}

test("ports, host addresses and sysctls of a pod go to its sandbox; on the host's network ports do not", async () => {
  const ports: corev1.ContainerPort[] = [
    { containerPort: 80, hostPort: 8080, hostIP: "127.0.0.1", protocol: "UDP" },
  ];
  const spec = {
    securityContext: { sysctls: [{ name: "net/ipv4/ip_unprivileged_port_start", value: "0" }] },
  };
  const config = await maker.sandbox(podOf(spec, { ports }), 0);
  const mapping = { protocol: "UDP", containerPort: 80, hostPort: 8080, hostIp: "127.0.0.1" };
  assert.deepEqual(config.portMappings, [mapping]);
  assert.deepEqual(config.linux.sysctls, { "net.ipv4.ip_unprivileged_port_start": "0" });
  assert.deepEqual((await maker.sandbox(podOf({ hostNetwork: true }, { ports }), 0)).portMappings, []);
});

test("mounts are read-only, propagate and lead below a volume as they say", async () => {
  const mount = { name: "data", mountPath: "/a" };
  const { mounts } = await configOf(
    podOf(
      {},
      {
        env: [{ name: "WHO", value: "me" }],
        volumeMounts: [
          { ...mount, mountPath: "/a", mountPropagation: "HostToContainer" },
          { ...mount, mountPath: "/b", mountPropagation: "Bidirectional" },
          { ...mount, mountPath: "/c", readOnly: true, recursiveReadOnly: "Enabled" },
          { ...mount, mountPath: "/d", subPath: "one" },
          { ...mount, mountPath: "/e", subPathExpr: "logs/$(WHO)" },
        ],
      },
    ),
  );
  const told = mounts.map(({ containerPath, hostPath, propagation, readOnly, recursiveReadOnly }) =>
    [containerPath, hostPath.replace(data, "data"), propagation, readOnly, recursiveReadOnly === true].join(
      " ",
    ),
  );
  assert.deepEqual(told, [
    "/a data hostToContainer false false",
    "/b data bidirectional false false",
    "/c data private true true",
    "/d sub:one private false false",
    "/e sub:logs/me private false false",
  ]);
});

test("a subPathExpr over a variable that is not there holds the container back", async () => {
  const volumeMounts = [{ name: "data", mountPath: "/a", subPathExpr: "$(NOBODY)" }];
  await assert.rejects(configOf(podOf({}, { volumeMounts })), /missing value for NOBODY/);
});

test("a variable comes from a file in a volume, and is left out when it is optional and not there", async () => {
  const from = (key: string, optional?: boolean) => ({
    valueFrom: { fileKeyRef: { volumeName: "data", path: "vars.env", key, optional } },
  });
  const env = [
    { name: "A", ...from("MODE") },
    { name: "B", ...from("NOTHING", true) },
  ];
  assert.deepEqual((await configOf(podOf({}, { env }))).env, [{ name: "A", value: "fast" }]);
  const missing = [{ name: "A", ...from("NOTHING") }];
  await assert.rejects(configOf(podOf({}, { env: missing })), /key "NOTHING" not found in file "vars.env"/);
});

test("a pod's class says what runs it", async () => {
  const { runtimeHandler } = await maker.sandbox(podOf({ runtimeClassName: "gvisor" }), 0);
  assert.equal(runtimeHandler, "handler-of-gvisor");
  assert.equal((await maker.sandbox(podOf({}), 0)).runtimeHandler, undefined);
});
