import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import type { RuntimeError } from "../contract.ts";
import { containerConfig, createTestBed, sandboxConfig, type TestBed, untilExited } from "./test-bed.ts";

let bed: TestBed;
before(async () => {
  bed = await createTestBed();
});
after(() => bed?.close());

const isInstalled = (program: string) =>
  existsSync(`/usr/bin/${program}`) || existsSync(`/usr/sbin/${program}`);

async function podOf(runtimeHandler: string, linux: Parameters<typeof sandboxConfig>[1] = {}) {
  const config = { ...sandboxConfig(bed, linux), runtimeHandler };
  const sandbox = await bed.runtime.runPodSandbox(config);
  const create = (name: string, command: string[], changes: Parameters<typeof containerConfig>[1] = {}) =>
    bed.runtime.createContainer(
      sandbox,
      containerConfig(command, {
        metadata: { name, attempt: 0 },
        logPath: `${name}.log`,
        resources: { pidsMax: 256, memoryLimitBytes: 256 * 2 ** 20 },
        ...changes,
      }),
      config,
    );
  return { config, sandbox, create };
}

test("an engine says which runtimes it has, the default one also without a name", async () => {
  const handlers = await bed.runtime.handlers();
  const names = handlers.map(({ name }) => name);
  assert.equal(names[0], "");
  assert.ok(names.includes("crun"));
  assert.equal(names.includes("runsc"), isInstalled("runsc"));
  assert.equal(handlers[0]!.features.recursiveReadOnlyMounts, true);
});

test("a handler that is not there is refused in the words of every engine", async () => {
  await assert.rejects(
    bed.runtime.runPodSandbox({ ...sandboxConfig(bed), runtimeHandler: "nosuch" }),
    (error: RuntimeError) =>
      error.reason === "InvalidArgument" && /no runtime for "nosuch" is configured/.test(error.message),
  );
});

for (const handler of ["crun", "runc", "runsc"]) {
  const skip = isInstalled(handler) ? false : `${handler} is not installed`;
  test(`a whole life under ${handler}, beside the default runtime's`, { skip }, async () => {
    const { sandbox, create, config } = await podOf(handler);
    assert.equal((await bed.runtime.podSandboxStatus(sandbox))?.runtimeHandler, handler);
    const ends = await create("ends", ["sh", "-c", "hostname; echo oops >&2; exit 3"]);
    await bed.runtime.startContainer(ends);
    const ended = await untilExited(bed.runtime, ends);
    assert.equal(ended.exitCode, 3);
    const log = await readFile(ended.logPath, "utf8");
    assert.match(log, new RegExp(`stdout F ${config.hostname}\n`));
    assert.match(log, /stderr F oops\n/);

    const missing = await create("missing", ["/nosuch"]);
    await assert.rejects(bed.runtime.startContainer(missing), /nosuch/);
    assert.equal((await bed.runtime.containerStatus(missing))?.exitCode, 128);

    const runs = await create("runs", ["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done"]);
    await bed.runtime.startContainer(runs);
    const echo = await bed.runtime.execSync(runs, ["sh", "-c", "echo out; echo err >&2; exit 6"], {});
    assert.deepEqual([echo.exitCode, `${echo.stdout}`, `${echo.stderr}`], [6, "out\n", "err\n"]);
    assert.equal((await bed.runtime.execSync(runs, ["nosuch"], {})).exitCode, 127);
    await assert.rejects(
      bed.runtime.execSync(runs, ["sleep", "6262"], { timeoutMs: 500 }),
      (error: RuntimeError) => error.reason === "DeadlineExceeded",
    );
    assert.doesNotMatch((await bed.runtime.execSync(runs, ["ps"], {})).stdout.toString(), /6262/);

    await bed.restart();
    assert.equal((await bed.runtime.containerStatus(runs))?.state, "running");
    await bed.runtime.stopContainer(runs, { graceS: 10 });
    assert.equal((await bed.runtime.containerStatus(runs))?.exitCode, 7);
    await bed.runtime.removePodSandbox(sandbox);
  });
}

test("gVisor's containers see its kernel, not the host's", {
  skip: isInstalled("runsc") ? false : "runsc is not installed",
}, async () => {
  const { sandbox, create } = await podOf("runsc");
  const id = await create("sees", ["dmesg"], { security: { seccomp: { type: "Unconfined" } } });
  await bed.runtime.startContainer(id);
  const { logPath } = await untilExited(bed.runtime, id);
  assert.match(await readFile(logPath, "utf8"), /Starting gVisor/);
  const privileged = await create("privileged", ["ls", "/dev"], { security: { privileged: true } });
  await bed.runtime.startContainer(privileged);
  assert.equal((await untilExited(bed.runtime, privileged)).exitCode, 0);
  const device = { hostPath: "/dev/fuse", containerPath: "/dev/fuse", permissions: "rw" };
  await assert.rejects(create("device", ["true"], { devices: [device] }), /does not support host devices/);
  await bed.runtime.removePodSandbox(sandbox);
  await assert.rejects(
    podOf("runsc", { namespaces: { network: "pod", ipc: "pod", pid: "pod" } }),
    /"runsc" \(gVisor\) does not support shareProcessNamespace/,
  );
});
