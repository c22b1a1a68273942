import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ContainerConfig, PodSandboxConfig, RuntimeError } from "../contract.ts";
import { containerConfig, createTestBed, sandboxConfig, type TestBed, untilExited } from "./test-bed.ts";

let bed: TestBed;
before(async () => {
  bed = await createTestBed();
});
after(() => bed.close());

async function sandbox(
  linux: Partial<PodSandboxConfig["linux"]> = {},
): Promise<{ id: string; config: PodSandboxConfig }> {
  const config = sandboxConfig(bed, linux);
  return { id: await bed.runtime.runPodSandbox(config), config };
}

async function start(
  pod: { id: string; config: PodSandboxConfig },
  config: ContainerConfig,
): Promise<string> {
  const id = await bed.runtime.createContainer(pod.id, config, pod.config);
  await bed.runtime.startContainer(id);
  return id;
}

/** Runs a command to its end as a container of a new pod, and gives what it printed. */
async function output(
  config: ContainerConfig,
  linux: Partial<PodSandboxConfig["linux"]> = {},
): Promise<{ text: string; exitCode: number | undefined }> {
  const pod = await sandbox(linux);
  const status = await untilExited(bed.runtime, await start(pod, config));
  const lines = (await readFile(status.logPath, "utf8")).split("\n").filter(Boolean);
  await bed.runtime.removePodSandbox(pod.id);
  return {
    text: lines.map((line) => line.split(" ").slice(3).join(" ")).join("\n"),
    exitCode: status.exitCode,
  };
}

test("a container's output is logged in CRI's format and its exit code is known", async () => {
  const pod = await sandbox();
  const id = await start(pod, containerConfig(["sh", "-c", "echo hi; exit 3"]));
  const status = await untilExited(bed.runtime, id);
  assert.deepEqual([status.exitCode, status.reason], [3, "Error"]);
  assert.ok(status.finishedAtMs! >= status.startedAtMs! - 1);
  assert.match(await readFile(status.logPath, "utf8"), /^\d{4}-.* stdout F hi\n$/);
  await bed.runtime.removePodSandbox(pod.id);
  assert.deepEqual(await bed.runtime.listContainers(), []);
  assert.deepEqual(await bed.runtime.listPodSandboxes(), []);
});

test("a command that ends well is Completed", async () => {
  const pod = await sandbox();
  const status = await untilExited(bed.runtime, await start(pod, containerConfig(["true"])));
  assert.deepEqual([status.exitCode, status.reason], [0, "Completed"]);
  await bed.runtime.removePodSandbox(pod.id);
});

test("a missing command fails to start in the words Kubernetes users know, with exit code 128", async () => {
  const pod = await sandbox();
  const cases: [string[], RegExp][] = [
    [["nosuch"], /exec: "nosuch": executable file not found in \$PATH/],
    [["/no/such"], /exec: "\/no\/such": stat \/no\/such: no such file or directory/],
    [["/etc/passwd"], /exec: "\/etc\/passwd": permission denied/],
  ];
  for (const [index, [command, message]] of cases.entries()) {
    const config = containerConfig(command, { metadata: { name: `c${index}`, attempt: 0 } });
    const id = await bed.runtime.createContainer(pod.id, config, pod.config);
    await assert.rejects(bed.runtime.startContainer(id), (error: RuntimeError) => {
      assert.equal(error.reason, "RunContainerError");
      assert.match(error.message, message);
      return true;
    });
    const status = (await bed.runtime.containerStatus(id))!;
    assert.deepEqual([status.state, status.reason, status.exitCode], ["exited", "StartError", 128]);
    assert.match(status.message!, message);
  }
  await bed.runtime.removePodSandbox(pod.id);
});

test("a pod's containers share hostname, network, IPC and /dev/shm, but not their processes", async () => {
  const pod = await sandbox();
  const first = await start(pod, containerConfig(["sh", "-c", "echo shared > /dev/shm/note; sleep 1000"]));
  const config = containerConfig(["sleep", "1000"], {
    metadata: { name: "second", attempt: 0 },
    logPath: "second/0.log",
  });
  const second = await start(pod, config);
  const look = "hostname; for n in net ipc uts pid; do readlink /proc/self/ns/$n; done";
  const ask = async (id: string) =>
    (await bed.runtime.execSync(id, ["sh", "-c", look], {})).stdout.toString().trim().split("\n");
  const [a, b] = [await ask(first), await ask(second)];
  assert.equal(a[0], pod.config.hostname);
  assert.deepEqual(a.slice(0, 4), b.slice(0, 4));
  assert.notEqual(a[4], b[4]);
  const note = await bed.runtime.execSync(second, ["cat", "/dev/shm/note"], {});
  assert.equal(note.stdout.toString(), "shared\n");
  await bed.runtime.removePodSandbox(pod.id);
});

test("with shareProcessNamespace containers see each other's processes, and an ended one leaves none", async () => {
  const pod = await sandbox({ namespaces: { network: "pod", ipc: "pod", pid: "pod" } });
  const first = await start(pod, containerConfig(["sh", "-c", "sleep 3131 & sleep 3232"]));
  const config = containerConfig(["sleep", "1000"], {
    metadata: { name: "second", attempt: 0 },
    logPath: "second/0.log",
  });
  const second = await start(pod, config);
  const processes = async () => (await bed.runtime.execSync(second, ["ps"], {})).stdout.toString();
  assert.match(await processes(), /sleep 3131/);
  assert.match(await processes(), /sleep 3232/);
  const ended = untilExited(bed.runtime, first);
  await bed.runtime.stopContainer(first, { graceS: 0 });
  assert.equal((await ended).exitCode, 137);
  assert.doesNotMatch(await processes(), /3131|3232/);
  await bed.runtime.removePodSandbox(pod.id);
});

test("stop sends the image's or the pod's signal, and SIGKILL after the grace period", async () => {
  const pod = await sandbox();
  const script = "trap 'exit 5' TERM; trap 'exit 6' USR1; echo ready; while :; do sleep 0.01; done";
  const run = async (name: string, changes: Partial<ContainerConfig>) => {
    const config = containerConfig(["sh", "-c", script], { ...changes, metadata: { name, attempt: 0 } });
    const id = await start(pod, { ...config, logPath: `${name}.log` });
    for (;;) {
      // The trap is set before the shell says so.
      const { logPath } = (await bed.runtime.containerStatus(id))!;
      if ((await readFile(logPath, "utf8")).includes("ready")) return id;
    }
  };
  const exitAfter = async (id: string, signal?: string) => {
    await bed.runtime.stopContainer(id, { graceS: 30, signal });
    return (await bed.runtime.containerStatus(id))?.exitCode;
  };
  assert.equal(await exitAfter(await run("term", {})), 5);
  assert.equal(await exitAfter(await run("usr1", { stopSignal: "SIGUSR1" })), 6);
  assert.equal(await exitAfter(await run("asked", {}), "SIGUSR1"), 6);
  const deaf = await start(
    pod,
    containerConfig(["sleep", "1000"], { metadata: { name: "deaf", attempt: 0 } }),
  );
  const began = performance.now();
  await bed.runtime.stopContainer(deaf, { graceS: 1 });
  assert.ok(performance.now() - began > 900);
  assert.equal((await bed.runtime.containerStatus(deaf))?.exitCode, 137);
  await bed.runtime.removePodSandbox(pod.id);
});

test("a container over its memory limit is OOMKilled", async () => {
  const pod = await sandbox();
  // tail keeps its last line, and /dev/zero never ends one.
  const config = containerConfig(["tail", "/dev/zero"], {
    resources: { memoryLimitBytes: 32 * 1024 * 1024 },
  });
  const id = await start(pod, config);
  const status = await untilExited(bed.runtime, id);
  assert.deepEqual([status.reason, status.exitCode], ["OOMKilled", 137]);
  await bed.runtime.removePodSandbox(pod.id);
});

test("limits are in the container's cgroup, are seen inside, change while it runs, and its use is measured", async () => {
  const pod = await sandbox();
  const resources = { memoryLimitBytes: 64 * 1024 * 1024, cpuShares: 512, cpuQuotaUs: 50_000, pidsMax: 100 };
  const id = await start(pod, containerConfig(["sleep", "1000"], { resources }));
  const files = ["memory/memory.limit_in_bytes", "cpu/cpu.shares", "cpu/cpu.cfs_quota_us", "pids/pids.max"];
  const v2 = ["memory.max", "cpu.weight", "cpu.max", "pids.max"];
  const read = async () => {
    const script = `cd /sys/fs/cgroup; if [ -e cgroup.procs ]; then cat ${v2.join(" ")}; else cat ${files.join(" ")}; fi`;
    return (await bed.runtime.execSync(id, ["sh", "-c", script], {})).stdout.toString().trim().split("\n");
  };
  const [memory, , quota, pids] = await read();
  assert.deepEqual([memory, quota!.split(" ")[0], pids], ["67108864", "50000", "100"]);
  await bed.runtime.updateContainerResources(id, { memoryLimitBytes: 128 * 1024 * 1024, cpuQuotaUs: 70_000 });
  const [grown, , wider] = await read();
  assert.deepEqual([grown, wider!.split(" ")[0]], ["134217728", "70000"]);
  await bed.runtime.execSync(id, ["sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"], {});
  const stats = (await bed.runtime.containerStats(id))!;
  assert.ok(stats.cpuUsageNs > 1_000_000 && stats.memoryUsageBytes > 0 && stats.memoryWorkingSetBytes > 0);
  await bed.runtime.removePodSandbox(pod.id);
});

test("what a container may do by default is what Kubernetes lets it", async () => {
  const script = [
    "grep -E '^(CapEff|CapBnd|Seccomp|NoNewPrivs):' /proc/self/status | tr -s '\\t ' ' '",
    "unshare -n true 2>&1 | tail -n1",
    "mknod /tmp/disk b 8 0 && cat /tmp/disk 2>&1",
    "head -c 1 /dev/zero | wc -c",
    "ls /proc/scsi 2>&1; cat /proc/kcore | wc -c; echo 1 2>&1 > /proc/sys/kernel/hostname || echo read-only",
    "touch /sys/x 2>&1; id",
  ].join("; ");
  const { text } = await output(
    containerConfig(["sh", "-c", script], { security: { noNewPrivileges: true } }),
  );
  assert.match(
    text,
    /CapBnd: 00000000a80425fb\nCapEff: 00000000a80425fb|CapEff: 00000000a80425fb\nCapBnd: 00000000a80425fb/,
  );
  assert.match(text, /Seccomp: 2/);
  assert.match(text, /NoNewPrivs: 1/);
  assert.match(text, /unshare: .*Operation not permitted/);
  assert.match(text, /can't open '\/tmp\/disk': Operation not permitted/);
  assert.match(text, /^1$/m);
  assert.match(text, /^0$/m);
  assert.match(text, /read-only|Read-only/);
  assert.match(text, /uid=0\(root\) gid=0\(root\) groups=0\(root\),10\(wheel\)/);
});

test("a privileged container has all that the agent has, and the host's devices", async () => {
  const script =
    "grep -E '^(CapEff|Seccomp):' /proc/self/status; ls /dev | wc -l; touch /proc/sys/kernel/x 2>&1";
  const { text } = await output(containerConfig(["sh", "-c", script], { security: { privileged: true } }));
  const own = /^CapBnd:\s*(\w+)/m.exec(await readFile("/proc/self/status", "utf8"))![1];
  assert.match(text, new RegExp(`CapEff:\\s*${own}`));
  assert.match(text, /Seccomp:\s*0/);
  assert.ok(Number(/^\d+$/m.exec(text)![0]) > 15);
  assert.doesNotMatch(text, /Read-only/);
});

test("user, group, supplemental groups and working directory are those asked for; a folder that is missing is made", async () => {
  const script = "id; pwd; echo $HOME $GREETING";
  const named = await output(
    containerConfig(["sh", "-c", script], {
      workingDir: "/work/here",
      env: [{ name: "GREETING", value: "hello" }],
      security: { runAsUsername: "web", supplementalGroups: [2000] },
    }),
  );
  assert.match(
    named.text,
    /uid=101\(web\) gid=102\(web\) groups=102\(web\),150\(logs\),2000\n\/work\/here\n\/home\/web hello/,
  );
  const strict = await output(
    containerConfig(["id"], {
      security: {
        runAsUser: 101,
        runAsGroup: 7,
        supplementalGroupsPolicy: "Strict",
        supplementalGroups: [8],
      },
    }),
  );
  assert.match(strict.text, /uid=101\(web\) gid=7 groups=7,8/);
});

test("a read-only root, read-only mounts and files that are mounted", async () => {
  const data = join(bed.dir, "..", "data");
  await mkdir(join(data, "sub"), { recursive: true });
  await writeFile(join(data, "hosts"), "127.0.0.1 localhost\n10.0.0.9 db\n");
  const mount = (containerPath: string, hostPath: string, readOnly: boolean) => ({
    ...{ containerPath, hostPath: join(data, hostPath), readOnly, propagation: "private" as const },
  });
  const script =
    "touch /x; touch /data/ro/x; touch /data/y && echo wrote; cat /etc/hosts; cat /etc/resolv.conf";
  const { text } = await output(
    containerConfig(["sh", "-c", `{ ${script}; } 2>&1`], {
      mounts: [
        mount("/data/ro", "sub", true),
        mount("/data", ".", false),
        mount("/etc/hosts", "hosts", false),
      ],
      security: { readOnlyRootfs: true },
    }),
  );
  assert.match(text, /touch: \/x: Read-only/);
  assert.match(text, /touch: \/data\/ro\/x: Read-only/);
  assert.match(text, /wrote/);
  assert.match(text, /10\.0\.0\.9 db/);
  assert.match(text, /search default.svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5/);
});

test("a mount that should propagate needs a mount of the host's that does", async () => {
  const shared = join(bed.dir, "..", "shared");
  await mkdir(shared, { recursive: true });
  execFileSync("mount", ["--bind", shared, shared]);
  const pod = await sandbox();
  const config = (propagation: "hostToContainer" | "bidirectional") =>
    containerConfig(["sleep", "1000"], {
      metadata: { name: propagation.toLowerCase(), attempt: 0 },
      mounts: [{ containerPath: "/shared", hostPath: shared, readOnly: false, propagation }],
    });
  try {
    execFileSync("mount", ["--make-private", shared]);
    await assert.rejects(
      bed.runtime.createContainer(pod.id, config("bidirectional"), pod.config),
      /is mounted on .* but it is not a shared mount/,
    );
    execFileSync("mount", ["--make-shared", shared]);
    const receives = await start(pod, config("hostToContainer"));
    await mkdir(join(shared, "late"));
    execFileSync("mount", ["-t", "tmpfs", "late", join(shared, "late")]);
    const seen = await bed.runtime.execSync(receives, ["grep", "-c", "/shared/late", "/proc/mounts"], {});
    assert.equal(seen.stdout.toString(), "1\n");
    await bed.runtime.removePodSandbox(pod.id);
  } finally {
    execFileSync("umount", ["-R", shared]);
  }
});

test("an image volume is an image's root, read-only", async () => {
  const imageId = await bed.images.add("data", {}, { "etc/payload": "from the image\n" });
  const { text } = await output(
    containerConfig(["sh", "-c", "cat /vol/etc/payload; touch /vol/x 2>&1"], {
      mounts: [{ containerPath: "/vol", hostPath: "", imageId, readOnly: true, propagation: "private" }],
    }),
  );
  assert.match(text, /from the image\ntouch: \/vol\/x: Read-only/);
});

test("a pod's sysctls hold in it alone, and those of the whole host are refused", async () => {
  const sysctls = { "net.ipv4.ip_local_port_range": "40000 50000", "kernel.shm_rmid_forced": "1" };
  const { text } = await output(
    containerConfig(["cat", "/proc/sys/net/ipv4/ip_local_port_range", "/proc/sys/kernel/shm_rmid_forced"]),
    { sysctls },
  );
  assert.match(text, /40000\s+50000\n1/);
  assert.doesNotMatch(await readFile("/proc/sys/net/ipv4/ip_local_port_range", "utf8"), /40000/);
  await assert.rejects(sandbox({ sysctls: { "kernel.panic": "1" } }), /not of a pod's own namespaces/);
  await assert.rejects(sandbox({ sysctls: { "net/../../kernel/panic": "1" } }), /no sysctl's name/);
});

test("what this engine cannot do is refused with a reason", async () => {
  await assert.rejects(
    sandbox({
      namespaces: { network: "node", ipc: "pod", pid: "container", user: { hostId: 131072, length: 65536 } },
    }),
    (error: RuntimeError) => error.reason === "InvalidArgument" && /host's namespaces/.test(error.message),
  );
  const pod = await sandbox();
  const create = (config: ContainerConfig) => bed.runtime.createContainer(pod.id, config, pod.config);
  await assert.rejects(
    create(containerConfig(["id"], { security: { runAsUsername: "ghost" } })),
    /no user "ghost"/,
  );
  await assert.rejects(
    create(
      containerConfig(["id"], { security: { seccomp: { type: "Localhost", path: "/no/profile.json" } } }),
    ),
    /cannot load seccomp profile/,
  );
  await assert.rejects(create({ ...containerConfig(["id"]), imageId: "sha256:none" }), /no image/);
  await assert.rejects(
    bed.runtime.startContainer("none"),
    (error: RuntimeError) => error.reason === "NotFound",
  );
  assert.deepEqual(await bed.runtime.listContainers({ sandboxId: pod.id }), []);
  await bed.runtime.removePodSandbox(pod.id);
});

test("every call may be repeated", async () => {
  const config = sandboxConfig(bed);
  const [one, two] = await Promise.all([
    bed.runtime.runPodSandbox(config),
    bed.runtime.runPodSandbox(config),
  ]);
  assert.equal(one, two);
  assert.equal(await bed.runtime.runPodSandbox(config), one);
  const container = containerConfig(["sleep", "1000"]);
  const id = await bed.runtime.createContainer(one, container, config);
  assert.equal(await bed.runtime.createContainer(one, container, config), id);
  await Promise.all([bed.runtime.startContainer(id), bed.runtime.startContainer(id)]);
  await Promise.all([1, 2].map(() => bed.runtime.stopContainer(id, { graceS: 0 })));
  await bed.runtime.stopContainer(id, { graceS: 0 });
  await assert.rejects(bed.runtime.startContainer(id), /has ended/);
  await Promise.all([1, 2].map(() => bed.runtime.removeContainer(id)));
  await bed.runtime.removeContainer(id);
  await bed.runtime.stopPodSandbox(one);
  await bed.runtime.stopPodSandbox(one);
  assert.equal((await bed.runtime.podSandboxStatus(one))?.state, "notReady");
  await assert.rejects(bed.runtime.createContainer(one, container, config), /is not ready/);
  await bed.runtime.removePodSandbox(one);
  await bed.runtime.removePodSandbox(one);
});

test("after its rotation a log goes on under the old name", async () => {
  const pod = await sandbox();
  const id = await start(
    pod,
    containerConfig(["sh", "-c", "while read line; do echo $line; done"], { stdin: true }),
  );
  const { logPath } = (await bed.runtime.containerStatus(id))!;
  await rename(logPath, `${logPath}.1`);
  await bed.runtime.reopenContainerLog(id);
  for (let i = 0; ; i++) {
    await bed.runtime.execSync(id, ["sh", "-c", "echo again > /proc/1/fd/1"], {});
    if ((await readFile(logPath, "utf8").catch(() => "")).includes("again")) break;
    assert.ok(i < 100, "the new log stays empty");
  }
  await bed.runtime.removePodSandbox(pod.id);
});

test("events tell of every start and end, once", async () => {
  const events: string[] = [];
  const stop = bed.runtime.onEvent((event) => events.push(`${event.type} ${event.containerId}`));
  const pod = await sandbox();
  const ids = await Promise.all(
    ["a", "b", "c"].map((name) =>
      start(pod, containerConfig(["true"], { metadata: { name, attempt: 0 }, logPath: `${name}.log` })),
    ),
  );
  await Promise.all(ids.map((id) => untilExited(bed.runtime, id)));
  stop();
  assert.deepEqual(events.sort(), ids.flatMap((id) => [`exited ${id}`, `started ${id}`]).sort());
  await bed.runtime.removePodSandbox(pod.id);
});
