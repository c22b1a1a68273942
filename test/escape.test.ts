import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { dataDir } from "../src/cli/index.ts";
import { instanceOf } from "../src/engine.ts";
import { busyboxPod, eventually, run, TestCluster } from "./support/cluster.ts";

/*
 * A container as anyone gets it, root in it, and what it must not reach: host files, host processes, other pods'
 * volumes, kernel settings, devices. Each attempt is a real one.
 */

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start();
  await cluster.apply(busyboxPod("cage"));
  await cluster.wait("pod/cage", "condition=Ready");
});
after(() => cluster?.purge());

/**
 * What a script in the cage prints, on both streams. A kubectl before 1.34 on a busy machine may drop what comes before
 * it listens, and says so (kubernetes/kubernetes#131203): then it is asked again.
 */
async function attempt(script: string): Promise<string> {
  return eventually("kubectl drops nothing", async () => {
    const { stdout, stderr } = await cluster.try(["exec", "cage", "--", "sh", "-c", `(${script}) 2>&1`]);
    return /Unknown stream id \d+, discarding message/.test(stderr) ? undefined : stdout + stderr;
  });
}

/** Each script must fail in the way that follows it. */
async function mustFail(attempts: readonly (readonly [script: string, how: RegExp])[]): Promise<void> {
  const said = await Promise.all(attempts.map(([script]) => attempt(`${script} && echo ESCAPED`)));
  for (const [i, [script, how]] of attempts.entries()) {
    assert.doesNotMatch(said[i]!, /^ESCAPED$/m, `${script}: ${said[i]}`);
    assert.match(said[i]!, how, script);
  }
}

test("device nodes of the host are not there, and made ones do not open", async () => {
  const nodes = await attempt("find /dev -type b -o -type c | sort");
  const own = ["full", "null", "ptmx", "random", "tty", "urandom", "zero"].map((name) => `/dev/${name}`);
  const found = nodes.trim().split("\n");
  assert.deepEqual(
    found.filter((path) => !own.includes(path) && !path.startsWith("/dev/pts/")),
    [],
  );
  const notAllowed = /Operation not permitted/;
  const disk = statSync("/").dev;
  await mustFail([
    ["mknod /tmp/mem c 1 1 && cat /tmp/mem", notAllowed],
    ["mknod /tmp/port c 1 4 && cat /tmp/port", notAllowed],
    ["mknod /tmp/kmsg c 1 11 && head -c 1 /tmp/kmsg", notAllowed],
    [`mknod /tmp/disk b ${disk >> 8} ${disk & 0xff} && head -c 1 /tmp/disk`, notAllowed],
    ["mknod /tmp/loop b 7 0 && head -c 1 /tmp/loop", notAllowed],
    ["mknod /tmp/loop-control c 10 237 && cat /tmp/loop-control", notAllowed],
    ["mknod /tmp/fuse c 10 229 && cat /tmp/fuse", notAllowed],
    ["mknod /tmp/kvm c 10 232 && cat /tmp/kvm", notAllowed],
    ["mknod /tmp/tun c 10 200 && cat /tmp/tun", notAllowed],
  ]);
});

test("nothing can be mounted, unmounted or made writable", async () => {
  const denied = /permission denied|not permitted/i;
  await mustFail([
    ["mkdir -p /tmp/m && mount -t tmpfs none /tmp/m", denied],
    ["mount -t proc none /tmp", denied],
    ["mount -o bind /proc /tmp", denied],
    ["mount -o remount,rw /sys", denied],
    ["mount -o remount,rw /proc/sys", denied],
    ["umount /proc/sys", denied],
    ["umount /proc/keys", denied],
    ["umount /etc/hosts", denied],
    ["pivot_root / /tmp", denied],
  ]);
});

test("the kernel's settings are not for a container to change", async () => {
  const denied = /Read-only file system|Permission denied|nonexistent|Operation not permitted/;
  await mustFail([
    ["echo '|/bin/sh' > /proc/sys/kernel/core_pattern", denied],
    ["echo /bin/sh > /proc/sys/kernel/modprobe", denied],
    ["echo 1 > /proc/sys/vm/drop_caches", denied],
    ["echo 1 > /proc/sys/net/ipv4/ip_forward", denied],
    ["echo x > /proc/sys/kernel/hostname", denied],
    ["echo b > /proc/sysrq-trigger", denied],
    ["echo 1 > /proc/irq/default_smp_affinity", denied],
    ["echo x > /sys/kernel/uevent_helper", denied],
    ["echo never > /sys/kernel/mm/transparent_hugepage/enabled", denied],
    ["echo -1000 > /proc/self/oom_score_adj", denied],
    ["date -s 2020-01-01", denied],
    ["hostname other", denied],
    ["dmesg", denied],
    ["reboot -f", denied],
    ["head -c 4096 /bin/busybox > /tmp/module && insmod /tmp/module", denied],
    ["touch /tmp/swap && swapon /tmp/swap", denied],
  ]);
});

test("what the kernel tells of the host is masked", async () => {
  const masked = ["kcore", "keys", "timer_list", "interrupts", "sched_debug", "latency_stats"];
  for (const name of masked)
    assert.match(await attempt(`head -c 64 /proc/${name} | wc -c`), /^0$|can't open|No such file/m, name);
  const hidden = await attempt("find /sys/firmware /proc/acpi /proc/scsi -mindepth 1 2>/dev/null | wc -l");
  assert.equal(hidden, "0\n");
  assert.match(await attempt("head -1 /proc/kallsyms"), /^0{8,16} /);
});

test("cgroups are shown, and not to be written: no limit raised, no release agent set", async () => {
  assert.equal((await attempt("find /sys/fs/cgroup -name release_agent -o -name devices.allow")).trim(), "");
  const write = "for each in $(find /sys/fs/cgroup -type f); do echo 1 > $each && echo WROTE $each; done";
  assert.doesNotMatch(await attempt(write), /WROTE/);
  assert.doesNotMatch(await attempt("mkdir /sys/fs/cgroup/*/mine && echo MADE"), /MADE/);
});

test("namespaces are neither made nor entered, and the root is not left", async () => {
  const denied = /not permitted|Permission denied|can't reassociate|No such/;
  await mustFail([
    ["unshare -U true", denied],
    ["unshare -m true", denied],
    ["unshare -n true", denied],
    ["nsenter -t 1 -m -n true", denied],
    // CAP_SYS_CHROOT is given, and leads no further up than the container's own root.
    ["chroot /proc/1/root sh -c 'ls /proc/1/root/../../../etc/debian_version'", /No such file/],
    ["chroot /tmp sh -c true", /can't execute|No such file/],
  ]);
});

test("only the container's own processes are seen, and none of others is signalled", async () => {
  const host = run("sleep", ["300"], { timeoutMs: 60_000 });
  const commands = await attempt("ps -o args");
  assert.match(commands, /sleep 3600/);
  assert.doesNotMatch(commands, /sleep 300\b|main\.js|conmon/);
  await attempt("for pid in $(seq 2 400); do kill -9 $pid; done");
  const { stdout } = await run("pgrep", ["-fx", "sleep 300"]);
  assert.notEqual(stdout, "");
  for (const pid of stdout.trim().split("\n")) process.kill(Number(pid), "SIGTERM");
  await host;
});

test("the runtime's own program cannot be written to from inside while it runs an exec", async () => {
  const path = readFileSync("/usr/bin/crun");
  const before = createHash("sha256").update(path).digest("hex");
  await cluster.apply(
    busyboxPod(
      "overwrites",
      `ln -sf /proc/self/exe /bin/evil
       while :; do
         for exe in /proc/[0-9]*/exe; do
           case "$(readlink $exe)" in /bin/busybox) ;; *) (echo overwritten >> $exe) 2>/dev/null && echo "WROTE $exe";; esac
         done
       done`,
    ),
  );
  await cluster.wait("pod/overwrites", "condition=Ready");
  for (let i = 0; i < 5; i++) {
    await cluster.try(["exec", "overwrites", "--", "/bin/evil", "--version"]);
    await cluster.try(["exec", "overwrites", "--", "/proc/self/exe", "--version"]);
  }
  assert.doesNotMatch(await cluster.kubectl(["logs", "overwrites"]), /WROTE/);
  assert.equal(createHash("sha256").update(readFileSync("/usr/bin/crun")).digest("hex"), before);
  await cluster.kubectl(["delete", "pod", "overwrites", "--now"]);
});

test("a working directory below /proc leads to no descriptor of the host's", async () => {
  const script =
    "pwd; ls -d ../../../../../../../../etc/debian_version 2>&1; ls -d ./../../../../../../root/.ssh 2>&1";
  const names = [3, 4, 5, 6, 7, 8, 9, 10].map((fd) => {
    const name = `descriptor-${fd}`;
    return { name, workingDir: `/proc/self/fd/${fd}` };
  });
  await Promise.all(
    names.map(({ name, workingDir }) =>
      cluster.apply(
        busyboxPod(name, "", {
          restartPolicy: "Never",
          containers: [{ name: "main", image: "busybox", workingDir, command: ["sh", "-c", script] }],
        }),
      ),
    ),
  );
  for (const { name } of names) {
    await eventually(`the end of ${name}`, async () => {
      const { status } = await cluster.get("pod", name);
      const state = status.containerStatuses?.[0]?.state ?? {};
      return state.terminated !== undefined || state.waiting?.reason === "RunContainerError";
    });
    const { stdout } = await cluster.try(["logs", name]);
    assert.doesNotMatch(stdout, /^\S*etc\/debian_version$/m, name);
  }
  await cluster.kubectl(["delete", "pod", ...names.map(({ name }) => name), "--now"]);
});

test("links that a container leaves in a volume lead the next one nowhere but into itself", async () => {
  const host = mkdtempSync(join(tmpdir(), "peapod-escape-"));
  try {
    writeFileSync(join(host, "secret"), "of the host");
    const volumes = [{ name: "shared", emptyDir: {} }];
    const volumeMounts = [{ name: "shared", mountPath: "/shared" }];
    const leave = `ln -s ${host} /shared/out; ln -s /etc /shared/etc; mkdir -p /shared/nested; ln -s ../../../../../../../../.. /shared/nested/up`;
    const readers = [
      ["by-sub-path", { name: "shared", mountPath: "/data", subPath: "out" }],
      ["by-way-up", { name: "shared", mountPath: "/data", subPath: "nested/up/etc" }],
      ["by-file", { name: "shared", mountPath: "/data", subPath: "etc/shadow" }],
    ] as const;
    for (const [name, mount] of readers) {
      await cluster.apply(
        busyboxPod(name, "", {
          restartPolicy: "Never",
          volumes,
          initContainers: [{ name: "leaves", image: "busybox", command: ["sh", "-c", leave], volumeMounts }],
          containers: [{ name: "main", image: "busybox", command: ["ls", "/data"], volumeMounts: [mount] }],
        }),
      );
      // Refused, or a link that is taken as one inside the volume.
      await eventually(`what becomes of ${name}`, async () => {
        const { status } = await cluster.get("pod", name);
        const { waiting, terminated } = status.containerStatuses?.[0]?.state ?? {};
        return waiting?.reason === "CreateContainerConfigError" || terminated !== undefined;
      });
      assert.doesNotMatch((await cluster.try(["logs", name, "-c", "main"])).stdout, /secret|shadow|passwd/);
    }
    // A volume mounted on a link in another volume is mounted where the link leads in the container.
    await cluster.apply(
      busyboxPod("on-a-link", "", {
        restartPolicy: "Never",
        volumes: [...volumes, { name: "other", emptyDir: {} }],
        initContainers: [{ name: "leaves", image: "busybox", command: ["sh", "-c", leave], volumeMounts }],
        containers: [
          {
            name: "main",
            image: "busybox",
            command: ["sh", "-c", "touch /shared/out/made; ls /shared/out/"],
            volumeMounts: [...volumeMounts, { name: "other", mountPath: "/shared/out" }],
          },
        ],
      }),
    );
    await eventually("its end", async () =>
      ["Succeeded", "Failed"].includes((await cluster.get("pod", "on-a-link")).status.phase),
    );
    const { stdout: seen } = await run("ls", [host]);
    assert.equal(seen, "secret\n");
    assert.doesNotMatch((await cluster.try(["logs", "on-a-link"])).stdout, /secret/);
    await cluster.kubectl(["delete", "pod", ...readers.map(([name]) => name), "on-a-link", "--now"]);
  } finally {
    rmSync(host, { recursive: true, force: true });
  }
});

test("an ordinary user of the host gets at nothing of a pod's files", async () => {
  const nobody = (...command: string[]) =>
    run("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", ...command]);
  await attempt("cp /bin/busybox /become-root; chmod u+s /become-root; echo mine > /dev/shm/secret");
  // Pods of other clusters on this machine come and go meanwhile.
  const { runDir } = instanceOf(dataDir(cluster.dataDir));
  const { stdout: mounts } = await run("sh", ["-c", `cut -d' ' -f2 /proc/mounts | grep '^${runDir}/'`]);
  const paths = mounts
    .trim()
    .split("\n")
    .filter((path) => /rootfs|shm$/.test(path));
  assert.ok(paths.length > 0);
  for (const path of paths) {
    const { exitCode, stderr } = await nobody("ls", path);
    assert.notEqual(exitCode, 0, path);
    assert.match(stderr, /Permission denied/);
    assert.notEqual((await nobody("touch", `${path}/x`)).exitCode, 0);
    assert.notEqual((await nobody(`${path}/become-root`, "true")).exitCode, 0);
  }
  assert.notEqual((await nobody("ls", join(cluster.dataDir, "kubelet"))).exitCode, 0);
});

test("a container's root folder is open to all its users, as its image has it", async () => {
  await cluster.apply(
    busyboxPod("user", "", {
      restartPolicy: "Never",
      containers: [
        {
          name: "main",
          image: "busybox",
          command: ["sh", "-c", "ls / > /dev/null && stat -c %a /"],
          securityContext: { runAsUser: 1000 },
        },
      ],
    }),
  );
  await cluster.wait("pod/user", "jsonpath={.status.phase}=Succeeded");
  assert.equal(await cluster.kubectl(["logs", "user"]), "755\n");
});

test("one pod's volumes, tokens and memory are not in another's reach", async () => {
  const volumes = [{ name: "data", emptyDir: { medium: "Memory" } }];
  await cluster.apply(
    busyboxPod("neighbour", "", {
      volumes,
      containers: [
        {
          name: "main",
          image: "busybox",
          command: [
            "sh",
            "-c",
            "echo hidden-away > /data/secret; echo hidden-away > /dev/shm/x; exec sleep 3600",
          ],
          volumeMounts: [{ name: "data", mountPath: "/data" }],
        },
      ],
    }),
  );
  await cluster.wait("pod/neighbour", "condition=Ready");
  const { metadata } = await cluster.get("pod", "neighbour");
  const look = "grep -rl hidden-away / --exclude-dir=proc --exclude-dir=sys 2>/dev/null";
  assert.doesNotMatch(
    await attempt(`ls -d /proc/*/root/data /proc/*/cwd/data; ${look}`),
    /secret|data$|shm/m,
  );
  assert.doesNotMatch(await attempt("cat /proc/self/mountinfo"), new RegExp(metadata.uid));
  assert.equal(
    (await attempt(`ls -d ${cluster.dataDir}/kubelet/pods/${metadata.uid}`)).includes("No such file"),
    true,
  );
});
