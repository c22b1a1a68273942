import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { readdir, readFile, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { SeededRandom, SystemClock } from "../../base/index.ts";
import { readMounts } from "../linux/mountinfo.ts";
import { purgeOciRuntime } from "./purge.ts";
import { containerConfig, createTestBed, sandboxConfig, type TestBed, untilExited } from "./test-bed.ts";

let bed: TestBed;
before(async () => {
  bed = await createTestBed();
});
after(() => bed.close());

test("containers run on without the agent, and a new one knows what they do and how they ended", async () => {
  const config = sandboxConfig(bed);
  const sandbox = await bed.runtime.runPodSandbox(config);
  const start = async (name: string, script: string) => {
    const container = containerConfig(["sh", "-c", script], {
      metadata: { name, attempt: 0 },
      logPath: `${name}.log`,
    });
    const id = await bed.runtime.createContainer(sandbox, container, config);
    await bed.runtime.startContainer(id);
    return id;
  };
  const runs = await start("runs", "i=0; while :; do echo line $i; i=$((i+1)); sleep 0.05; done");
  const ends = await start("ends", "while [ ! -e /dev/shm/go ]; do sleep 0.01; done; exit 42");
  const waits = await bed.runtime.createContainer(
    sandbox,
    containerConfig(["true"], { metadata: { name: "waits", attempt: 0 } }),
    config,
  );
  const before = (await bed.runtime.containerStatus(runs))!;
  await bed.runtime.close();
  execFileSync("touch", [join(bed.runDir, "sandboxes", sandbox, "shm", "go")]);
  while (!existsSync(join(bed.runDir, "exits", ends)));

  const runtime = await bed.restart();
  assert.equal((await runtime.podSandboxStatus(sandbox))?.state, "ready");
  const still = (await runtime.containerStatus(runs))!;
  assert.deepEqual([still.state, still.pid, still.startedAtMs], ["running", before.pid, before.startedAtMs]);
  assert.deepEqual(
    [(await untilExited(runtime, ends)).exitCode, (await runtime.containerStatus(ends))?.reason],
    [42, "Error"],
  );
  assert.equal((await runtime.containerStatus(waits))?.state, "created");
  const lines = async () => (await readFile(still.logPath, "utf8")).split("\n").length;
  const seen = await lines();
  assert.equal((await runtime.execSync(runs, ["echo", "here"], {})).stdout.toString(), "here\n");
  while ((await lines()) <= seen) await runtime.execSync(runs, ["true"], {});
  await runtime.startContainer(waits);
  assert.equal((await untilExited(runtime, waits)).exitCode, 0);
  await runtime.removePodSandbox(sandbox);
});

test("a container whose conmon was killed too is reported as ended, not as running", async () => {
  const config = sandboxConfig(bed);
  const sandbox = await bed.runtime.runPodSandbox(config);
  const id = await bed.runtime.createContainer(sandbox, containerConfig(["sleep", "1000"]), config);
  await bed.runtime.startContainer(id);
  await bed.runtime.close();
  const bundle = join(bed.runDir, "bundles", id);
  process.kill(Number(await readFile(join(bundle, "conmon.pid"), "utf8")), "SIGKILL");
  process.kill(Number(await readFile(join(bundle, "pid"), "utf8")), "SIGKILL");
  const runtime = await bed.restart();
  const status = await untilExited(runtime, id);
  assert.deepEqual([status.exitCode, status.reason], [255, "Unknown"]);
  await runtime.removePodSandbox(sandbox);
});

test("a record that a power loss cut short is forgotten, with what belonged to it", async () => {
  const config = sandboxConfig(bed);
  const sandbox = await bed.runtime.runPodSandbox(config);
  const id = await bed.runtime.createContainer(sandbox, containerConfig(["sleep", "1000"]), config);
  await bed.runtime.startContainer(id);
  await bed.runtime.close();
  const records = join(bed.dir, "records.jsonl");
  await truncate(records, (await readFile(records)).indexOf(sandbox) + 100);
  const runtime = await bed.restart();
  assert.deepEqual([await runtime.listContainers(), await runtime.listPodSandboxes()], [[], []]);
  await nothingIsLeft(bed);
});

test("an agent killed at any moment leaves what its successor repairs or removes", {
  timeout: 120_000,
}, async () => {
  const random = new SeededRandom(7);
  await bed.runtime.close();
  for (let round = 0; round < 8; round++) {
    const agent = spawn(
      process.execPath,
      ["--import", "tsx", agentScript, bed.dir, bed.runDir, bed.cgroupRoot],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    await once(agent.stdout, "data");
    const killed = once(agent, "exit");
    setTimeout(() => agent.kill("SIGKILL"), random.fraction() * 150);
    await killed;
    const runtime = await bed.restart();
    const statuses = await runtime.listContainers();
    for (const status of statuses) {
      if (status.state === "running")
        assert.ok(existsSync(`/proc/${status.pid}`), "a running container has a process");
      else if (status.state === "exited") assert.notEqual(status.exitCode, undefined);
      else {
        await runtime.startContainer(status.id);
        assert.equal((await runtime.containerStatus(status.id))?.state, "running");
      }
    }
    for (const { id } of await runtime.listPodSandboxes()) await runtime.removePodSandbox(id);
    await nothingIsLeft(bed);
    await runtime.close();
  }
  await bed.restart();
});

test("purge leaves nothing of running pods, also without the agent's knowledge", async () => {
  const other = await createTestBed();
  const config = sandboxConfig(other, { namespaces: { network: "pod", ipc: "pod", pid: "pod" } });
  const sandbox = await other.runtime.runPodSandbox(config);
  const id = await other.runtime.createContainer(sandbox, containerConfig(["sleep", "1000"]), config);
  await other.runtime.startContainer(id);
  const { pid } = (await other.runtime.containerStatus(id))!;
  await other.runtime.close();
  const { dir, runDir, cgroupRoot } = other;
  await purgeOciRuntime({ dir, runDir, cgroupRoot, clock: new SystemClock() });
  assert.equal(existsSync(`/proc/${pid}`), false);
  assert.deepEqual([existsSync(dir), existsSync(runDir)], [false, false]);
  assert.equal(
    (await readMounts()).some((mount) => mount.target.startsWith(runDir)),
    false,
  );
  assert.deepEqual(cgroupsOf(cgroupRoot), []);
  await rm(join(dir, ".."), { recursive: true, force: true });
});

const agentScript = fileURLToPath(new URL("./crash-agent.ts", import.meta.url));

/** Nothing but the engine's own folders, mounts and empty cgroups. */
async function nothingIsLeft(of: TestBed): Promise<void> {
  const folders = ["bundles", "sandboxes", "exits", "runtime", "tty"].map((name) => join(of.runDir, name));
  const left = await Promise.all([...folders, join(of.dir, "containers")].map((folder) => readdir(folder)));
  assert.deepEqual(
    left.flat().filter((name) => !name.startsWith(".")),
    [],
  );
  const mounts = (await readMounts())
    .map((mount) => mount.target)
    .filter((path) => path.startsWith(of.runDir));
  assert.deepEqual(
    mounts.filter((path) => path !== of.runDir && !path.includes("/cgroup/")),
    [],
  );
  // A conmon ends a moment after it has told of its container's end.
  const untilMs = performance.now() + 3000;
  for (let left = await processesOf(of); left.length > 0; left = await processesOf(of)) {
    assert.ok(performance.now() < untilMs, `a process is left: ${left[0]}`);
  }
  assert.deepEqual(
    cgroupsOf(of.cgroupRoot).filter((path) => /[0-9a-f]{64}/.test(path)),
    [],
  );
}

async function processesOf({ runDir }: TestBed): Promise<string[]> {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
  );
  return commands.filter((command) => command.includes(`${runDir}/bundles`));
}

/** Other clusters come and go meanwhile, which `find` complains of. */
function cgroupsOf(root: string): string[] {
  const command = `find /sys/fs/cgroup -type d -path '*/${root}*' 2>/dev/null; true`;
  return execFileSync("sh", ["-c", command], { encoding: "utf8" }).split("\n").filter(Boolean);
}
