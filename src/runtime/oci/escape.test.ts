import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, test } from "node:test";
import { supportsUserNamespaces } from "../linux/user-namespace.ts";
import { containerConfig, createTestBed, sandboxConfig, type TestBed, untilExited } from "./test-bed.ts";

/*
 * What an image brings along must not lead out of it, whichever runtime it is that mounts and starts.
 */

let bed: TestBed;
let host: string;
before(async () => {
  bed = await createTestBed();
  host = join(bed.dir, "of-the-host");
  await mkdir(host);
  await writeFile(join(host, "secret"), "hidden");
  await writeFile(join(host, "passwd"), "ghost:x:4242:4242::/:/bin/sh\n");
});
after(() => bed?.close());

async function imageWith(name: string, links: Record<string, string>): Promise<string> {
  const id = await bed.images.add(name, { Cmd: ["true"] });
  const { layers } = await bed.images.rootfs(id);
  for (const [path, target] of Object.entries(links)) {
    await rm(join(layers[0]!, path), { recursive: true, force: true });
    await symlink(target, join(layers[0]!, path));
  }
  return id;
}

/** What a container of the image says, or why there is none. */
async function outcome(
  runtimeHandler: string,
  imageId: string,
  command: string[],
  changes: Parameters<typeof containerConfig>[1] = {},
): Promise<string> {
  const config = { ...sandboxConfig(bed), runtimeHandler };
  const sandbox = await bed.runtime.runPodSandbox(config);
  try {
    const made = { ...containerConfig(command, changes), imageId };
    const id = await bed.runtime.createContainer(sandbox, made, config);
    await bed.runtime.startContainer(id);
    const { logPath } = await untilExited(bed.runtime, id);
    return (await readFile(logPath, "utf8")).replace(/^\S+ \S+ F /gm, "");
  } catch (error) {
    return `failed: ${(error as Error).message}`;
  } finally {
    await bed.runtime.removePodSandbox(sandbox);
  }
}

const hostIsUntouched = async () => assert.deepEqual(await readdir(host), ["passwd", "secret"]);

for (const handler of ["crun", "runc"]) {
  const skip =
    existsSync(`/usr/bin/${handler}`) || existsSync(`/usr/sbin/${handler}`) ? false : "not installed";

  test(`an image's links are taken as the container would see them (${handler})`, { skip }, async () => {
    const image = await imageWith(`links-${handler}`, {
      "etc/passwd": join(host, "passwd"),
      data: host,
      up: `../../../../../../../..${host}`,
      work: host,
    });
    assert.match(
      await outcome(handler, image, ["id"], { security: { runAsUsername: "ghost" } }),
      /no user "ghost" in the image's \/etc\/passwd/,
    );
    const volume = join(bed.dir, "volume");
    await mkdir(volume, { recursive: true });
    const onto = (containerPath: string) =>
      outcome(handler, image, ["sh", "-c", `touch ${containerPath}/made; ls ${containerPath}/`], {
        mounts: [{ containerPath, hostPath: volume, readOnly: false, propagation: "private" }],
      });
    assert.equal(await onto("/data"), "made\n");
    // crun finds no place for this one, and says so.
    assert.match(await onto("/up"), /^made\n$|^failed: .*No such file or directory/);
    assert.deepEqual(await readdir(volume), ["made"]);
    await rm(volume, { recursive: true });
    const worked = await outcome(handler, image, ["sh", "-c", "touch made; ls"], { workingDir: "/work" });
    assert.doesNotMatch(worked, /secret/);
    await hostIsUntouched();
  });

  test(`a working directory among descriptors leads to none of the host's (${handler})`, {
    skip,
  }, async () => {
    const image = await imageWith(`plain-${handler}`, {});
    const look = ["sh", "-c", `cat ../../../../../../../..${host}/secret`];
    for (const fd of [3, 5, 6, 7, 8, 9, 10])
      assert.doesNotMatch(
        await outcome(handler, image, look, { workingDir: `/proc/self/fd/${fd}` }),
        /hidden/,
        String(fd),
      );
  });

  test(`where an image makes /proc or /sys a link, nothing is left unmasked (${handler})`, {
    skip,
  }, async () => {
    const image = await imageWith(`kernel-${handler}`, { proc: "/tmp/p", sys: "/tmp/s" });
    const said = await outcome(handler, image, [
      "sh",
      "-c",
      "echo x > /proc/sys/kernel/core_pattern; cat /proc/keys; echo x > /sys/kernel/uevent_helper; echo done",
    ]);
    if (!said.startsWith("failed")) assert.match(said, /Read-only file system[\s\S]*Read-only file system/);
    assert.doesNotMatch(await readFile("/proc/sys/kernel/core_pattern", "utf8"), /^x$/m);
  });
}

test("an exec at a terminal, in a container with users of its own, is that root and no other", {
  skip: supportsUserNamespaces() ? false : "this kernel maps no users in overlayfs' layers",
}, async () => {
  const config = sandboxConfig(bed, {
    namespaces: {
      network: "pod",
      ipc: "pod",
      pid: "container",
      user: { hostId: 65_536 * 9, length: 65_536 },
    },
  });
  // The way to the root filesystem is open to all, as /run/peapod's is.
  await chmod(join(bed.dir, ".."), 0o711);
  const sandbox = await bed.runtime.runPodSandbox(config);
  const id = await bed.runtime.createContainer(sandbox, containerConfig(["sleep", "1000"]), config);
  await bed.runtime.startContainer(id);
  const stdout = new PassThrough();
  let text = "";
  stdout.on("data", (chunk) => {
    text += chunk;
  });
  const command = [
    "sh",
    "-c",
    "tty; cat /proc/self/uid_map; stat -c %u /proc/self/status; touch /etc/x; stat -c %u /etc/x",
  ];
  const ended = await bed.runtime.exec(id, { command, tty: true }, { stdout }, new AbortController().signal);
  assert.equal(ended.exitCode, 0, text);
  assert.match(text, /^\/dev\/pts\/\d\r\n +0 +589824 +65536\r\n0\r\n0\r\n$/);
  await bed.runtime.removePodSandbox(sandbox);
});
