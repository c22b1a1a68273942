import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { busyboxPod, eventually, TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
let settings: string;
before(async () => {
  settings = mkdtempSync(join(tmpdir(), "peapod-settings-"));
  const file = join(settings, "kubelet.yaml");
  writeFileSync(
    file,
    `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
allowedUnsafeSysctls: ["kernel.msg*"]
podPidsLimit: 64
`,
  );
  cluster = await TestCluster.start(["--kubelet-config", file]);
});
after(async () => {
  await cluster?.purge();
  rmSync(settings, { recursive: true, force: true });
});

type Spec = Record<string, unknown>;

/** A pod that runs `script` once, with a security context of the container's and other parts of its spec. */
const once = (name: string, script: string, securityContext: object = {}, spec: Spec = {}) =>
  cluster.apply(
    busyboxPod(name, "", {
      restartPolicy: "Never",
      containers: [{ name: "main", image: "busybox", command: ["sh", "-c", script], securityContext }],
      ...spec,
    }),
  );

async function outputOf(name: string): Promise<string> {
  await cluster.wait(`pod/${name}`, "jsonpath={.status.phase}=Succeeded");
  return cluster.kubectl(["logs", name]);
}

const eventOf = (name: string, pattern: RegExp) =>
  eventually(`an event like ${pattern}`, async () =>
    pattern.test(await cluster.kubectl(["events", `--for=pod/${name}`])),
  );

const waitingReason = (name: string, reason: string) =>
  cluster.wait(`pod/${name}`, `jsonpath={.status.containerStatuses[0].state.waiting.reason}=${reason}`);

const sysctls = (...names: string[]) => ({
  securityContext: { sysctls: names.map((name) => ({ name, value: "1" })) },
});

test("sysctls: the safe ones, with either separator, and those that the node allows", async () => {
  const read = "sysctl kernel.shm_rmid_forced";
  await once("dots", read, {}, sysctls("kernel.shm_rmid_forced"));
  await once("slashes", read, {}, sysctls("kernel/shm_rmid_forced"));
  const msgmax = { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "12345" }] } };
  await once("unsafe", "sysctl kernel.msgmax", {}, msgmax);
  assert.equal(await outputOf("dots"), "kernel.shm_rmid_forced = 1\n");
  assert.equal(await outputOf("slashes"), "kernel.shm_rmid_forced = 1\n");
  assert.equal(await outputOf("unsafe"), "kernel.msgmax = 12345\n");
});

test("sysctls: names that are none are refused by the API, others by the node, before anything of the pod runs", async () => {
  const pod = busyboxPod("invalid", "true", sysctls("foo-", "kernel.shmmax", "safe-and-unsafe", "bar.."));
  const { stderr } = await cluster.try(["create", "-f", "-"], { input: JSON.stringify(pod) });
  assert.match(stderr, /Invalid value: "foo-"/);
  assert.match(stderr, /Invalid value: "bar\.\."/);
  assert.doesNotMatch(stderr, /safe-and-unsafe|kernel\.shmmax/);
  await once("forbidden", "true", {}, sysctls("kernel.shmmax"));
  await cluster.wait("pod/forbidden", "jsonpath={.status.reason}=SysctlForbidden");
  const { status } = await cluster.get("pod", "forbidden");
  assert.equal(status.phase, "Failed");
  assert.equal(status.message, 'Pod was rejected: forbidden sysctl: "kernel.shmmax" not allowlisted');
  assert.match(await cluster.kubectl(["get", "pod", "forbidden"]), /SysctlForbidden/);
});

test("a pod that asks for AppArmor is rejected where the kernel has none; one with SELinux options runs, and is told of", async () => {
  await once("apparmor", "true", { appArmorProfile: { type: "RuntimeDefault" } });
  await once("selinux", "echo ran", { seLinuxOptions: { level: "s0:c0,c1" } });
  await cluster.wait("pod/apparmor", "jsonpath={.status.reason}=AppArmor");
  const { status } = await cluster.get("pod", "apparmor");
  assert.equal(
    status.message,
    "Pod was rejected: Cannot enforce AppArmor: AppArmor is not enabled on the host",
  );
  assert.equal(await outputOf("selinux"), "ran\n");
  await eventOf("selinux", /Warning +SELinuxNotEnforced .*kernel has SELinux off/);
});

test("seccomp: the runtime's profile by default, none where that is asked for, and the node's own by name", async () => {
  const folder = join(cluster.dataDir, "kubelet", "seccomp", "profiles");
  mkdirSync(folder, { recursive: true });
  const noMkdir = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO" }],
  };
  writeFileSync(join(folder, "no-mkdir.json"), JSON.stringify(noMkdir));
  const show = "grep ^Seccomp: /proc/self/status";
  const localhost = (localhostProfile: string) => ({
    seccompProfile: { type: "Localhost", localhostProfile },
  });
  await once("by-default", show);
  await once("unconfined", show, { seccompProfile: { type: "Unconfined" } });
  await once("of-the-pod", show, {}, { securityContext: { seccompProfile: { type: "Unconfined" } } });
  await once(
    "over-the-pods",
    show,
    { seccompProfile: { type: "RuntimeDefault" } },
    {
      securityContext: { seccompProfile: { type: "Unconfined" } },
    },
  );
  await once("privileged", show, { privileged: true });
  await once("localhost", "mkdir /tmp/x || echo denied", localhost("profiles/no-mkdir.json"));
  await once("missing", "true", localhost("profiles/none.json"));
  assert.equal(await outputOf("by-default"), "Seccomp:\t2\n");
  for (const name of ["unconfined", "of-the-pod", "privileged"])
    assert.equal(await outputOf(name), "Seccomp:\t0\n", name);
  assert.equal(await outputOf("over-the-pods"), "Seccomp:\t2\n");
  assert.match(await outputOf("localhost"), /denied/);
  await waitingReason("missing", "CreateContainerError");
  await eventOf("missing", /Warning +Failed .*cannot load seccomp profile .*profiles\/none\.json/);
  await cluster.kubectl(["delete", "pod", "missing", "--now"]);
});

test("runAsNonRoot holds back what would run as root, and says why", async () => {
  const nonRoot = { runAsNonRoot: true };
  await once("explicit-user", "id -u", { ...nonRoot, runAsUser: 1234 });
  await once("explicit-root", "true", { ...nonRoot, runAsUser: 0 });
  await once("image-root", "true", nonRoot);
  assert.equal(await outputOf("explicit-user"), "1234\n");
  for (const name of ["explicit-root", "image-root"]) await waitingReason(name, "CreateContainerConfigError");
  await eventOf(
    "explicit-root",
    /Failed .*Error: container's runAsUser breaks non-root policy \(pod: "explicit-root_default\([0-9a-f-]+\)", container: main\)/,
  );
  await eventOf(
    "image-root",
    /Failed .*Error: container has runAsNonRoot and image will run as root \(pod: /,
  );
  await cluster.kubectl(["delete", "pod", "explicit-root", "image-root", "--now"]);
});

test("users, read-only roots, and privileges that are not to grow", async () => {
  await once("nobody", "id -u; id -g", { runAsUser: 65534 });
  await once("read-only", "touch /file || echo read-only", { readOnlyRootFilesystem: true });
  await once("writable", "touch /file && echo writable", { readOnlyRootFilesystem: false });
  const show = "grep NoNewPrivs /proc/self/status";
  await once("grows", show, { runAsUser: 1000 });
  await once("grows-not", show, { runAsUser: 1000, allowPrivilegeEscalation: false });
  assert.equal(await outputOf("nobody"), "65534\n65534\n");
  assert.match(await outputOf("read-only"), /read-only$/m);
  assert.equal(await outputOf("writable"), "writable\n");
  assert.equal(await outputOf("grows"), "NoNewPrivs:\t0\n");
  assert.equal(await outputOf("grows-not"), "NoNewPrivs:\t1\n");
});

test("capabilities: those of every container, all of them, none, or by name in either case", async () => {
  const show = "grep CapEff /proc/self/status";
  const effective = async (name: string) => {
    const mask = BigInt(`0x${(await outputOf(name)).split("\t")[1]!.trim()}`);
    return (bit: number) => ((mask >> BigInt(bit)) & 1n) === 1n;
  };
  const [chown, netAdmin, sysAdmin, netBind] = [0, 12, 21, 10];
  await once("caps-default", show);
  await once("caps-none", show, { capabilities: { drop: ["ALL"] } });
  await once("caps-one", show, { capabilities: { drop: ["all"], add: ["net_bind_service"] } });
  await once("caps-added", show, { capabilities: { add: ["CAP_NET_ADMIN"], drop: ["CHOWN"] } });
  await once("caps-all", show, { capabilities: { add: ["ALL"] } });
  const [byDefault, none, one, added, all] = await Promise.all(
    ["caps-default", "caps-none", "caps-one", "caps-added", "caps-all"].map(effective),
  );
  assert.deepEqual([byDefault!(chown), byDefault!(netAdmin), byDefault!(sysAdmin)], [true, false, false]);
  assert.deepEqual([none!(chown), none!(netBind)], [false, false]);
  assert.deepEqual([one!(chown), one!(netBind)], [false, true]);
  assert.deepEqual([added!(chown), added!(netAdmin)], [false, true]);
  assert.deepEqual([all!(sysAdmin), all!(netAdmin)], [true, true]);
  await once("caps-unknown", "true", { capabilities: { add: ["FLY"] } });
  await waitingReason("caps-unknown", "CreateContainerError");
  await eventOf("caps-unknown", /unknown capability "CAP_FLY" to add/);
  await cluster.kubectl(["delete", "pod", "caps-unknown", "--now"]);
});

test("a privileged container has the host's devices and may mount; another has neither", async () => {
  const script = "ls /dev | wc -l; mount -t tmpfs none /mnt 2>/dev/null && echo mounted; mkdir -p /mnt";
  await once("has-all", `mkdir -p /mnt; ${script}`, { privileged: true });
  await once("has-little", `mkdir -p /mnt; ${script}`);
  const [all, little] = await Promise.all(["has-all", "has-little"].map(outputOf));
  assert.match(all!, /mounted/);
  assert.doesNotMatch(little!, /mounted/);
  assert.ok(Number(all!.split("\n")[0]) > Number(little!.split("\n")[0]), `${all} ${little}`);
});

test("escalation that contradicts itself is refused by the API", async () => {
  const refused = async (securityContext: object, message: RegExp) => {
    const pod = busyboxPod("refused", "", {
      containers: [{ name: "main", image: "busybox", securityContext }],
    });
    const { stderr } = await cluster.try(["create", "-f", "-"], { input: JSON.stringify(pod) });
    assert.match(stderr, message);
  };
  await refused(
    { allowPrivilegeEscalation: false, privileged: true },
    /cannot set `allowPrivilegeEscalation` to false and `privileged` to true/,
  );
  await refused(
    { allowPrivilegeEscalation: false, capabilities: { add: ["CAP_SYS_ADMIN"] } },
    /cannot set `allowPrivilegeEscalation` to false and `capabilities\.Add` CAP_SYS_ADMIN/,
  );
  await refused({ procMount: "Unmasked" }, /`hostUsers` must be false to use `Unmasked`/);
});

test("groups of the image's user come in by Merge, and stay out by Strict", async () => {
  const groups = (name: string, supplementalGroupsPolicy: string) =>
    once(
      name,
      "id -G",
      {},
      {
        securityContext: { runAsUser: 0, supplementalGroups: [4321], supplementalGroupsPolicy },
      },
    );
  await groups("merge", "Merge");
  await groups("strict", "Strict");
  assert.match(await outputOf("merge"), /\b4321\b/);
  assert.equal(await outputOf("strict"), "0 4321\n");
});

test("the host's namespaces, where a pod asks for them, and its own where not", async () => {
  await once("host-pids", "ps -o args | grep -c '[m]ain.js up'", {}, { hostPID: true });
  await once("own-pids", "ps -o args | grep -c '[m]ain.js up' || true", {});
  await once("host-ipc", "readlink /proc/self/ns/ipc", {}, { hostIPC: true });
  await once("own-ipc", "readlink /proc/self/ns/ipc");
  await once("host-net", "readlink /proc/self/ns/net; hostname", {}, { hostNetwork: true });
  const { readlinkSync } = await import("node:fs");
  assert.ok(Number(await outputOf("host-pids")) > 0);
  assert.equal(await outputOf("own-pids"), "0\n");
  assert.equal((await outputOf("host-ipc")).trim(), readlinkSync("/proc/self/ns/ipc"));
  assert.notEqual((await outputOf("own-ipc")).trim(), readlinkSync("/proc/self/ns/ipc"));
  assert.match(
    await outputOf("host-net"),
    new RegExp(`^${readlinkSync("/proc/self/ns/net").replace(/[[\]]/g, "\\$&")}`),
  );
});

test("a pod has no more processes than its node's settings allow", async () => {
  await once("forks", "i=0; while [ $i -lt 200 ]; do sleep 30 & i=$((i+1)); done 2>&1 | head -1; echo end");
  assert.match(await outputOf("forks"), /can't fork|Resource temporarily unavailable/);
});
