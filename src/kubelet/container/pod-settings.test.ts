import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { type DnsConfig, podDns } from "./dns.ts";
import { expand } from "./expansion.ts";
import { resourceValue } from "./field-ref.ts";
import { kernelHostname, podHostname } from "./hostname.ts";
import { hostNetworkHostsFile, podHostsFile } from "./hosts-file.ts";
import { containerResources, type NodeMemory, podCgroupParent, podResources } from "./resources.ts";
import { securityContext, verifyRunAsNonRoot } from "./security.ts";

const podOf = (spec: Partial<corev1.PodSpec>, container: Partial<corev1.Container> = {}): corev1.Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "shop", uid: "u1" },
  spec: { containers: [{ name: "main", image: "i", ...container }], ...spec },
});
const gibibyteNode: NodeMemory = { memoryBytes: 2 ** 30, hugepages: [], oomKills: "process" };
const host: DnsConfig = { servers: ["192.0.2.1"], searches: ["example.com"], options: ["timeout:1"] };
const cluster = { servers: ["10.96.0.10"], domain: "cluster.local" };
const clusterConfig = {
  servers: ["10.96.0.10"],
  searches: ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.com"],
  options: ["ndots:5"],
};

const policies: [what: string, spec: Partial<corev1.PodSpec>, config: DnsConfig][] = [
  ["ClusterFirst asks the cluster's DNS", { dnsPolicy: "ClusterFirst" }, clusterConfig],
  ["ClusterFirst on the host's network asks the host's", { hostNetwork: true }, host],
  [
    "ClusterFirstWithHostNet asks the cluster's all the same",
    { hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" },
    clusterConfig,
  ],
  ["Default asks the host's", { dnsPolicy: "Default" }, host],
  [
    "None has only what dnsConfig says",
    {
      dnsPolicy: "None",
      dnsConfig: { nameservers: ["192.0.2.9"], searches: ["a.example"], options: [{ name: "use-vc" }] },
    },
    { servers: ["192.0.2.9"], searches: ["a.example"], options: ["use-vc"] },
  ],
  [
    "dnsConfig adds to the policy, and its options win",
    { dnsConfig: { nameservers: ["192.0.2.9"], options: [{ name: "ndots", value: "2" }] } },
    { ...clusterConfig, servers: ["10.96.0.10", "192.0.2.9"], options: ["ndots:2"] },
  ],
];
for (const [what, spec, config] of policies) {
  test(`dnsPolicy ${what}`, () => assert.deepEqual(podDns(podOf(spec), host, cluster).config, config));
}

const hostnames: [what: string, spec: Partial<corev1.PodSpec>, name: string][] = [
  ["is its name", {}, "web"],
  ["is its hostname", { hostname: "one" }, "one"],
  ["is short, also in a subdomain", { hostname: "one", subdomain: "db" }, "one"],
  [
    "is fully qualified where that is asked for",
    { hostname: "one", subdomain: "db", setHostnameAsFQDN: true },
    "one.db.shop.svc.cluster.local",
  ],
  ["is what hostnameOverride says", { hostname: "one", hostnameOverride: "two.example" }, "two.example"],
];
for (const [what, spec, name] of hostnames) {
  test(`a pod's hostname ${what}`, () => {
    const pod = podOf(spec);
    assert.equal(kernelHostname(pod, podHostname(pod, "cluster.local")), name);
  });
}

test("/etc/hosts names the pod, its aliases, and on the host's network what the host names", () => {
  const aliases = [{ ip: "192.0.2.7", hostnames: ["a.example", "b.example"] }];
  const own = podHostsFile(["10.1.0.2"], { hostname: "one", domain: "db.shop.svc.cluster.local" }, aliases);
  assert.match(own, /^10\.1\.0\.2\tone\.db\.shop\.svc\.cluster\.local\tone$/m);
  assert.match(own, /^192\.0\.2\.7\ta\.example\tb\.example$/m);
  const shared = hostNetworkHostsFile("198.51.100.1\tgateway\n", aliases);
  assert.match(shared, /^198\.51\.100\.1\tgateway$/m);
  assert.match(shared, /^192\.0\.2\.7\ta\.example/m);
});

test("commands and variables expand $(NAME), keep what is unknown, and $$ is a dollar", () => {
  const lookup = (name: string) => ({ A: "1", B: "$(A)" })[name];
  assert.equal(expand("$(A) $(B) $(C) $$(A) $A $", lookup), "1 $(A) $(C) $(A) $A $");
});

const asRoot = { user: { uid: 0 } };
const settings = { seccompRoot: "/seccomp", seccompDefault: "RuntimeDefault" as const };

test("a container's security context overrides its pod's", () => {
  const pod = podOf(
    {
      securityContext: {
        ...{ runAsUser: 1, runAsGroup: 2, fsGroup: 3, supplementalGroups: [4] },
        seccompProfile: { type: "Localhost", localhostProfile: "p.json" },
        seLinuxOptions: { level: "s0" },
        appArmorProfile: { type: "Localhost", localhostProfile: "strict" },
      },
    },
    { securityContext: { runAsUser: 10, seccompProfile: { type: "Unconfined" } } },
  );
  const of = (container: corev1.Container) => securityContext(pod, container, asRoot, settings);
  const own = of(pod.spec!.containers[0]!);
  assert.deepEqual([own.runAsUser, own.runAsGroup, own.seccomp], [10, 2, { type: "Unconfined" }]);
  assert.deepEqual(own.supplementalGroups, [3, 4]);
  const other = of({ name: "other", image: "i" });
  assert.deepEqual(other.seccomp, { type: "Localhost", path: "/seccomp/p.json" });
  assert.equal(other.apparmorProfile, "localhost/strict");
  assert.deepEqual(other.selinux, { level: "s0" });
});

test("a pod that says nothing of seccomp gets the runtime's profile", () => {
  const pod = podOf({});
  assert.deepEqual(securityContext(pod, pod.spec!.containers[0]!, asRoot, settings).seccomp, {
    type: "RuntimeDefault",
  });
});

test("runAsNonRoot refuses root, and a user that is only a name", () => {
  const refused = (user: { uid?: number; name?: string }, runAsUser?: number) => {
    const pod = podOf({ securityContext: { runAsNonRoot: true, runAsUser } });
    try {
      verifyRunAsNonRoot(pod, pod.spec!.containers[0]!, { user });
      return undefined;
    } catch (error) {
      return (error as Error).message.replace(/ \(.*/, "");
    }
  };
  assert.equal(refused({ uid: 0 }), "container has runAsNonRoot and image will run as root");
  assert.equal(refused({ uid: 5 }, 0), "container's runAsUser breaks non-root policy");
  assert.equal(refused({ name: "web" }), "container has runAsNonRoot and image has non-numeric user");
  assert.equal(refused({ uid: 5 }), undefined);
  assert.equal(refused({ uid: 0 }, 7), undefined);
});

test("the class of service places the pod's cgroup and ranks it for the kernel's out-of-memory killer", () => {
  const node = { ...gibibyteNode, memoryBytes: 1_000 * 2 ** 20 };
  const rows = [
    { resources: {}, parent: "kubepods/besteffort/podu1", oomScoreAdj: 1_000 },
    {
      resources: { requests: { cpu: "100m", memory: "250Mi" } },
      parent: "kubepods/burstable/podu1",
      oomScoreAdj: 750,
    },
    {
      resources: { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "1", memory: "1Gi" } },
      parent: "kubepods/podu1",
      oomScoreAdj: -997,
    },
  ];
  for (const { resources, parent, oomScoreAdj } of rows) {
    const pod = podOf({}, { resources });
    assert.equal(podCgroupParent(pod), parent);
    assert.equal(containerResources(pod, pod.spec!.containers[0]!, node).oomScoreAdj, oomScoreAdj);
  }
});

test("what a pod requests beyond its containers spares them in equal parts when memory runs out", () => {
  const node = { ...gibibyteNode, memoryBytes: 1_000 * 2 ** 20 };
  const pod = podOf({
    resources: { requests: { memory: "500Mi" } },
    containers: [
      { name: "a", image: "i", resources: { requests: { memory: "100Mi" } } },
      { name: "b", image: "i" },
    ],
  });
  const adjusts = pod.spec!.containers.map((each) => containerResources(pod, each, node).oomScoreAdj);
  assert.deepEqual(adjusts, [700, 800]);
});

test("a pod's own limits hold for the pod as a whole, and for containers without their own", () => {
  const pod = podOf({ resources: { limits: { cpu: "2", memory: "64Mi" }, requests: { cpu: "500m" } } }, {});
  const whole = podResources(pod);
  assert.deepEqual([whole.cpuShares, whole.cpuQuotaUs, whole.memoryLimitBytes], [512, 200_000, 64 * 2 ** 20]);
  const own = containerResources(pod, pod.spec!.containers[0]!, gibibyteNode);
  assert.deepEqual([own.cpuQuotaUs, own.memoryLimitBytes], [200_000, 64 * 2 ** 20]);
});

test("huge pages are limited for the pod and its containers; of a size nobody asks for there are none", () => {
  const node = { ...gibibyteNode, hugepages: ["hugepages-1Gi", "hugepages-2Mi"] };
  const list = { "hugepages-2Mi": "4Mi" };
  const pod = podOf({}, { resources: { limits: list, requests: list } });
  assert.deepEqual(podResources(pod).hugepages, [{ pageSize: "2MB", limitBytes: 4 * 2 ** 20 }]);
  assert.deepEqual(containerResources(pod, pod.spec!.containers[0]!, node).hugepages, [
    { pageSize: "1GB", limitBytes: 0 },
    { pageSize: "2MB", limitBytes: 4 * 2 ** 20 },
  ]);
  const ofPod = podOf({ resources: { limits: list, requests: list } });
  const [container] = ofPod.spec!.containers;
  assert.deepEqual(podResources(ofPod).hugepages, podResources(pod).hugepages);
  assert.deepEqual(containerResources(ofPod, container!, node).hugepages?.[1]?.limitBytes, 4 * 2 ** 20);
});

test("a limit that a container does not have is the pod's in the downward API, and else the node's", () => {
  const node = {
    name: "n",
    hostIps: [],
    allocatable: { cpu: "8", memory: "1Gi", "ephemeral-storage": "9Gi" },
  };
  const pod = podOf(
    { resources: { limits: { cpu: "3", memory: "64Mi" } } },
    { resources: { limits: { cpu: "2" } } },
  );
  const of = (resource: string) => resourceValue({ resource }, pod.spec!.containers[0]!, pod, node);
  assert.equal(of("limits.cpu"), "2");
  assert.equal(of("limits.memory"), String(64 * 2 ** 20));
  assert.equal(of("limits.ephemeral-storage"), String(9 * 2 ** 30));
});

test("where the kernel can, a container that is out of memory is killed as a whole", () => {
  const pod = podOf({});
  const [container] = pod.spec!.containers;
  assert.equal(containerResources(pod, container!, gibibyteNode).oomKillsAll, undefined);
  assert.equal(
    containerResources(pod, container!, { ...gibibyteNode, oomKills: "container" }).oomKillsAll,
    true,
  );
});

test("while an init container runs beside sidecars the pod may use what they need together", () => {
  const having = (name: string, memory: string, more: Partial<corev1.Container> = {}): corev1.Container => ({
    ...{ name, image: "i", ...more },
    resources: { limits: { cpu: "100m", memory }, requests: { cpu: "100m", memory } },
  });
  const pod = podOf({
    initContainers: [having("sidecar", "100Mi", { restartPolicy: "Always" }), having("init", "500Mi")],
    containers: [having("main", "100Mi")],
  });
  const whole = podResources(pod);
  assert.deepEqual([whole.memoryLimitBytes, whole.cpuQuotaUs], [600 * 2 ** 20, 20_000]);
});

test("a runtime class's overhead widens the pod's cgroup, and no container's", () => {
  const list = { cpu: "1", memory: "64Mi" };
  const resources = { limits: list, requests: list };
  const pod = podOf({ overhead: { cpu: "500m", memory: "16Mi" } }, { resources });
  const whole = podResources(pod);
  assert.deepEqual(
    [whole.cpuShares, whole.cpuQuotaUs, whole.memoryLimitBytes],
    [1_536, 150_000, 80 * 2 ** 20],
  );
  const own = containerResources(pod, pod.spec!.containers[0]!, gibibyteNode);
  assert.deepEqual([own.cpuQuotaUs, own.memoryLimitBytes], [100_000, 64 * 2 ** 20]);
  const unlimited = podResources(podOf({ overhead: { cpu: "500m", memory: "16Mi" } }));
  assert.deepEqual(
    [unlimited.cpuShares, unlimited.cpuQuotaUs, unlimited.memoryLimitBytes],
    [512, undefined, undefined],
  );
});
