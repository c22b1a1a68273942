import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { mountHolding, parseMounts } from "../linux/mountinfo.ts";
import { deviceNumbers } from "./devices.ts";
import { execFailureCode, explainStartFailure } from "./errors.ts";
import { resolvConf } from "./resolv-conf.ts";
import { readInRoot, resolveInRoot } from "./rootfs.ts";
import { parseSignal } from "./signals.ts";

test("stop signals are read as image configs write them", () => {
  const cases: [string, number | undefined][] = [
    ["SIGTERM", 15],
    ["term", 15],
    ["9", 9],
    ["SIGRTMIN+3", 37],
    ["RTMAX-1", 63],
    ["RTMIN", 34],
    ["SIGNOSUCH", undefined],
    ["0", undefined],
    ["65", undefined],
    ["RTMIN+31", undefined],
  ];
  for (const [text, expected] of cases) assert.equal(parseSignal(text), expected, text);
});

test("a runtime's complaint is told in runc's words, whichever it was", () => {
  const crun = (text: string, command: string) => explainStartFailure(text, command);
  assert.equal(
    crun(
      "2026-01-01T00:00:00.5Z: executable file `nosuch` not found in $PATH: No such file or directory",
      "nosuch",
    ),
    'OCI runtime create failed: unable to start container process: exec: "nosuch": executable file not found in $PATH',
  );
  assert.match(
    crun("executable file `/x` not found: No such file or directory", "/x"),
    /stat \/x: no such file or directory$/,
  );
  assert.match(crun("open executable: Permission denied", "/etc"), /exec: "\/etc": permission denied$/);
  assert.equal(
    crun('time="2026-01-01T00:00:00Z" level=error msg="runc create failed: exec: \\"a\\": not found"', "a"),
    'OCI runtime create failed: runc create failed: exec: "a": not found',
  );
  assert.equal(crun("something else", "a"), "OCI runtime create failed: something else");
});

test("an exec that could not start ends as in a shell", () => {
  assert.equal(execFailureCode("executable file `x` not found in $PATH"), 127);
  assert.equal(execFailureCode("open executable: Permission denied"), 126);
  assert.equal(execFailureCode("exec: Exec format error"), 126);
  assert.equal(execFailureCode("the container is paused"), undefined);
});

test("resolv.conf is the pod's, or the host's where the pod says nothing", () => {
  assert.equal(
    resolvConf({ servers: ["10.0.0.1", "10.0.0.2"], searches: ["a", "b"], options: ["ndots:5"] }, "host"),
    "search a b\nnameserver 10.0.0.1\nnameserver 10.0.0.2\noptions ndots:5\n",
  );
  assert.equal(
    resolvConf({ servers: [], searches: [], options: [] }, "nameserver 9.9.9.9\n"),
    "nameserver 9.9.9.9\n",
  );
});

test("links in an image lead nowhere but into the image", async () => {
  const base = await mkdtemp(join(tmpdir(), "peapod-root-"));
  try {
    const root = join(base, "root");
    await mkdir(join(root, "etc"), { recursive: true });
    await writeFile(join(base, "secret"), "outside");
    await writeFile(join(root, "etc/real"), "inside");
    await symlink("/etc/real", join(root, "etc/passwd"));
    await symlink("../../../secret", join(root, "etc/up"));
    await symlink("loop", join(root, "etc/loop"));
    assert.equal(await readInRoot(root, "/etc/passwd"), "inside");
    assert.equal(await readInRoot(root, "/etc/up"), "");
    assert.equal(await readInRoot(root, "/etc/none"), "");
    assert.equal(await resolveInRoot(root, "/a/../../b"), join(root, "b"));
    await assert.rejects(resolveInRoot(root, "/etc/loop"), /too many symbolic links/);
  } finally {
    await rm(base, { recursive: true, force: true });
  }
});

test("device numbers are split as the kernel joins them", () => {
  assert.deepEqual(deviceNumbers(0x103), { major: 1, minor: 3 });
  assert.deepEqual(deviceNumbers(0x10fe00), { major: 254, minor: 256 });
});

test("mounts are read with their propagation, and the innermost holds a path", () => {
  const mounts = parseMounts(
    [
      "22 27 0:21 / / rw,relatime - ext4 /dev/vda rw",
      "30 22 0:40 / /data\\040dir rw shared:5 - tmpfs tmpfs rw,size=1k",
      "31 30 0:41 / /data\\040dir/in rw master:2 - tmpfs tmpfs rw",
    ].join("\n"),
  );
  assert.deepEqual(mountHolding("/data dir/x", mounts)?.propagation, ["shared:5"]);
  assert.equal(mountHolding("/data dir/in/x", mounts)?.target, "/data dir/in");
  assert.equal(mountHolding("/data dirt", mounts)?.target, "/");
});
