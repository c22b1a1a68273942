import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { RuntimeError } from "../contract.ts";
import { createLinuxHost } from "../linux/host.ts";
import { containerConfig, createTestBed, sandboxConfig, type TestBed, untilExited } from "./test-bed.ts";

// A test file of its own process, in a mount namespace where /sys/fs/cgroup is cgroup v2: which controllers it has
// depends on the host, so limits are tested only where v2 is all there is.
const insideV2 = "PEAPOD_TEST_INSIDE_CGROUP_V2";
/** What every variant of the engine must do. */
async function wholeLife(bed: TestBed): Promise<void> {
  const limits = process.env[insideV2] === undefined;
  const { runtime } = bed;
  const config = sandboxConfig(bed);
  const sandbox = await runtime.runPodSandbox(config);
  const create = (name: string, command: string[]) =>
    runtime.createContainer(
      sandbox,
      containerConfig(command, {
        metadata: { name, attempt: 0 },
        logPath: `${name}.log`,
        ...(limits && { resources: { pidsMax: 64 } }),
      }),
      config,
    );
  const ends = await create("ends", ["sh", "-c", "hostname; exit 3"]);
  await runtime.startContainer(ends);
  const status = await untilExited(runtime, ends);
  assert.equal(status.exitCode, 3);
  assert.match(await readFile(status.logPath, "utf8"), new RegExp(`stdout F ${config.hostname}\n`));

  const missing = await create("missing", ["nosuch"]);
  await assert.rejects(
    runtime.startContainer(missing),
    /exec: "nosuch": executable file not found in \$PATH/,
  );

  const runs = await create("runs", ["sleep", "1000"]);
  await runtime.startContainer(runs);
  const cgroup = await runtime.execSync(runs, ["cat", "/proc/self/cgroup"], {});
  const { pid } = (await runtime.containerStatus(runs))!;
  assert.match(
    await readFile(`/proc/${pid}/cgroup`, "utf8"),
    new RegExp(`${bed.cgroupRoot}/kubepods/.*/${runs}`),
  );
  assert.equal(cgroup.exitCode, 0);
  const echo = await runtime.execSync(runs, ["sh", "-c", "cat; echo err >&2; exit 6"], {});
  assert.deepEqual([echo.exitCode, echo.stderr.toString()], [6, "err\n"]);
  assert.equal((await runtime.execSync(runs, ["nosuch"], {})).exitCode, 127);
  await assert.rejects(
    runtime.execSync(runs, ["sh", "-c", "(setsid sleep 6161 &); sleep 6161"], { timeoutMs: 300 }),
    (error: RuntimeError) => error.reason === "DeadlineExceeded",
  );
  assert.doesNotMatch((await runtime.execSync(runs, ["ps"], {})).stdout.toString(), /6161/);

  await bed.restart();
  assert.equal((await bed.runtime.containerStatus(runs))?.state, "running");
  await bed.runtime.removePodSandbox(sandbox);
  assert.equal(existsSync(`/proc/${pid}`), false);
}

const beds: TestBed[] = [];
after(async () => {
  for (const bed of beds) await bed.close();
});

test("without koffi, mounts and namespaces are made by child processes", async () => {
  const bed = await createTestBed({ host: await createLinuxHost("children") });
  beds.push(bed);
  await wholeLife(bed);
});

test("with runc in crun's place", {
  skip: existsSync("/usr/sbin/runc") ? false : "runc is not installed",
}, async () => {
  const bed = await createTestBed({ runtimePath: "/usr/sbin/runc" });
  beds.push(bed);
  assert.match((await bed.runtime.version()).name, /runc/);
  await wholeLife(bed);
});

if (process.env[insideV2]) {
  test("on cgroup v2 the runtime makes the container's cgroup, and execs have their own in it", async () => {
    const bed = await createTestBed();
    beds.push(bed);
    await wholeLife(bed);
  });
} else {
  test("on cgroup v2", () => {
    const script = `mount -t cgroup2 none /sys/fs/cgroup && exec "$0" "$@"`;
    const self = fileURLToPath(import.meta.url);
    const args = ["--import", "tsx", "--test", "--test-name-pattern", "^on cgroup v2", self];
    const { stdout: output } = spawnSync("unshare", ["-m", "sh", "-c", script, process.execPath, ...args], {
      env: { ...process.env, [insideV2]: "1", NODE_TEST_CONTEXT: undefined },
      encoding: "utf8",
    });
    assert.match(output, /# pass 1\n# fail 0/);
  });
}
