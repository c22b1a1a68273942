import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { supportsUserNamespaces } from "../linux/user-namespace.ts";
import { containerConfig, createTestBed, sandboxConfig, type TestBed, untilExited } from "./test-bed.ts";

const skip = supportsUserNamespaces() ? false : "this kernel maps no users in overlayfs' layers";
const range = { hostId: 65_536 * 7, length: 65_536 };

let bed: TestBed;
before(async () => {
  if (skip) return;
  bed = await createTestBed();
  // The way to the root filesystem is open to all, as /run/peapod's is.
  await chmod(dirname(bed.dir), 0o711);
});
after(() => bed?.close());

async function podWithUsers(runtimeHandler: string, linux: Parameters<typeof sandboxConfig>[1] = {}) {
  const config = sandboxConfig(bed, {
    namespaces: { network: "pod", ipc: "pod", pid: "container", user: range },
    ...linux,
  });
  const sandbox = await bed.runtime.runPodSandbox({ ...config, runtimeHandler });
  const start = async (
    name: string,
    command: string[],
    changes: Parameters<typeof containerConfig>[1] = {},
  ) => {
    const made = containerConfig(command, {
      metadata: { name, attempt: 0 },
      logPath: `${name}.log`,
      ...changes,
    });
    const id = await bed.runtime.createContainer(sandbox, made, { ...config, runtimeHandler });
    await bed.runtime.startContainer(id);
    return id;
  };
  const output = async (...given: Parameters<typeof start>) => {
    const { logPath } = await untilExited(bed.runtime, await start(...given));
    return (await readFile(logPath, "utf8")).replace(/^\S+ \S+ F /gm, "");
  };
  return { sandbox, start, output };
}

for (const handler of ["crun", "runc"]) {
  test(`root in a pod with users of its own is nobody outside (${handler})`, { skip }, async () => {
    const { sandbox, start, output } = await podWithUsers(handler);
    const id = await start("runs", ["sleep", "1000"]);
    const { pid } = (await bed.runtime.containerStatus(id))!;
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    assert.match(status, new RegExp(`^Uid:\\t${range.hostId}\\t`, "m"));
    assert.match(await readFile(`/proc/${pid}/uid_map`, "utf8"), /^ +0 +458752 +65536\n$/);
    const inside = await bed.runtime.execSync(
      id,
      ["sh", "-c", "id -u; touch /made; stat -c %u:%g /made /bin/busybox /"],
      {},
    );
    assert.equal(inside.stdout.toString(), "0\n0:0\n0:0\n0:0\n");
    const [network, mounts] = await Promise.all([
      output("net", ["ip", "link", "set", "lo", "down"], {
        security: { capabilities: { add: ["NET_ADMIN"], drop: [] } },
      }),
      output(
        "mounts",
        ["sh", "-c", "mount -t tmpfs none /tmp && echo mounted; ls /dev/mqueue; cat /etc/resolv.conf"],
        {
          security: { capabilities: { add: ["SYS_ADMIN"], drop: [] } },
        },
      ),
    ]);
    assert.equal(network, "", "the network namespace is the pod's own users'");
    assert.match(mounts, /^mounted\nsearch /);
    await bed.runtime.removePodSandbox(sandbox);
  });

  test(`volumes have the owners that they have on the disk (${handler})`, { skip }, async () => {
    const { sandbox, output } = await podWithUsers(handler);
    const folder = join(bed.dir, "volume");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "file"), "text\n");
    const mounts = [
      { containerPath: "/data", hostPath: folder, readOnly: false, propagation: "private" as const },
      {
        containerPath: "/one",
        hostPath: join(folder, "file"),
        readOnly: true,
        propagation: "private" as const,
      },
    ];
    const seen = await output(
      "writes",
      ["sh", "-c", "stat -c %u:%g /data/file /one; cat /one; touch /data/root; chown 1000:2000 /data/root"],
      { mounts },
    );
    assert.equal(seen, "0:0\n0:0\ntext\n");
    const { uid, gid } = await stat(join(folder, "root"));
    assert.deepEqual([uid, gid], [1000, 2000]);
    await assert.rejects(
      output("proc", ["true"], {
        mounts: [{ containerPath: "/p", hostPath: "/proc", readOnly: false, propagation: "private" }],
      }),
      /failed to mount "\/proc": its filesystem cannot be mounted with mapped users/,
    );
    await bed.runtime.removePodSandbox(sandbox);
  });
}

test("all namespaces' sysctls, a shared PID namespace and a terminal work with users of the pod's own", {
  skip,
}, async () => {
  const { sandbox, start, output } = await podWithUsers("", {
    namespaces: { network: "pod", ipc: "pod", pid: "pod", user: range },
    sysctls: { "net.ipv4.ip_unprivileged_port_start": "0", "kernel.shm_rmid_forced": "1" },
  });
  assert.equal(
    await output("sysctls", [
      "sh",
      "-c",
      "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shm_rmid_forced",
    ]),
    "0\n1\n",
  );
  const id = await start("runs", ["sleep", "1000"], { tty: true, workingDir: "/not/there/yet" });
  assert.match(
    (await bed.runtime.execSync(id, ["ps", "-o", "args"], {})).stdout.toString(),
    /sleep 2147483647/,
  );
  const stats = await bed.runtime.execSync(
    id,
    ["stat", "-c", "%u", "/not", "/not/there/yet", "/etc/resolv.conf"],
    {},
  );
  assert.equal(stats.stdout.toString(), "0\n0\n0\n");
  await bed.restart();
  assert.equal((await bed.runtime.containerStatus(id))?.state, "running");
  await bed.runtime.removePodSandbox(sandbox);
});

test("gVisor, and a host's namespace, do not go with users of the pod's own", { skip }, async () => {
  await assert.rejects(
    podWithUsers("", { namespaces: { network: "node", ipc: "pod", pid: "container", user: range } }),
    /has none of the host's namespaces/,
  );
});

test("images, read-only and propagating mounts of a pod with users of its own; a neighbour's processes", {
  skip,
}, async () => {
  const { sandbox, start, output } = await podWithUsers("crun");
  const folder = join(bed.dir, "read-only");
  await mkdir(folder, { recursive: true });
  const image = await bed.images.add("volume", {}, { "etc/data": "of the image\n" });
  const mount = { hostPath: folder, readOnly: true, propagation: "private" as const };
  const said = await output(
    "mounts",
    [
      "sh",
      "-c",
      "cat /image/etc/data; stat -c %u /image/etc/data; (touch /ro/x || touch /rro/x) 2>/dev/null || echo none written",
    ],
    {
      mounts: [
        { containerPath: "/image", hostPath: "", imageId: image, readOnly: true, propagation: "private" },
        { containerPath: "/ro", ...mount },
        { containerPath: "/rro", ...mount, recursiveReadOnly: true },
      ],
    },
  );
  assert.match(said, /^of the image\n0\nnone written\n$/);
  const target = await start("target", ["sleep", "1111"]);
  const config = containerConfig(["ps", "-o", "args"], {
    metadata: { name: "guest", attempt: 0 },
    logPath: "guest.log",
  });
  const given = sandboxConfig(bed, {
    namespaces: { network: "pod", ipc: "pod", pid: "container", user: range },
  });
  const linux = { ...config.linux, pidNamespaceOf: target };
  const guest = await bed.runtime.createContainer(sandbox, { ...config, linux }, given);
  await bed.runtime.startContainer(guest);
  const { logPath } = await untilExited(bed.runtime, guest);
  assert.match(await readFile(logPath, "utf8"), /sleep 1111/);
  await bed.runtime.removePodSandbox(sandbox);
});

test("nothing stays mounted, whether a pod ends or its engine is killed halfway; and no volume is emptied", {
  skip,
}, async () => {
  const left = () =>
    readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[4] ?? "")
      .filter(
        (target) => /\/run\/(mapped|sandboxes|bundles)\//.test(target) && target.startsWith(dirname(bed.dir)),
      );
  assert.deepEqual(left(), []);
  const volume = join(bed.dir, "survives");
  await mkdir(volume, { recursive: true });
  await writeFile(join(volume, "file"), "kept");
  const half = join(bed.runDir, "mapped", "0".repeat(64), "mount-0");
  await mkdir(half, { recursive: true });
  execFileSync("mount", ["--bind", volume, half]);
  await bed.restart();
  assert.deepEqual(left(), []);
  assert.equal(existsSync(dirname(half)), false);
  assert.equal(await readFile(join(volume, "file"), "utf8"), "kept");
});
