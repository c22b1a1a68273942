import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { ContainerConfig, RuntimeError } from "../contract.ts";
import { containerConfig, createTestBed, sandboxConfig, type TestBed, untilExited } from "./test-bed.ts";

let bed: TestBed;
before(async () => {
  bed = await createTestBed();
});
after(() => bed.close());

function guest(command: string[], pidNamespaceOf: string, name = "debugger"): ContainerConfig {
  const config = containerConfig(command, {
    metadata: { name, attempt: 0 },
    logPath: `${name}/0.log`,
  });
  return { ...config, linux: { ...config.linux, pidNamespaceOf } };
}

async function podWithTarget(command: string[]) {
  const config = sandboxConfig(bed);
  const id = await bed.runtime.runPodSandbox(config);
  const create = (container: ContainerConfig) => bed.runtime.createContainer(id, container, config);
  const start = async (container: ContainerConfig) => {
    const containerId = await create(container);
    await bed.runtime.startContainer(containerId);
    return containerId;
  };
  return {
    create,
    start,
    target: await start(containerConfig(command)),
    remove: () => bed.runtime.removePodSandbox(id),
  };
}

test("a container that joins its target's PID namespace sees its processes and files, and ends with it", async () => {
  const pod = await podWithTarget(["sh", "-c", "echo secret > /tmp/mine; exec sleep 4141"]);
  const id = await pod.start(guest(["sleep", "4242"], pod.target));
  const sh = async (command: string) =>
    (await bed.runtime.execSync(id, ["sh", "-c", command], {})).stdout.toString();
  assert.match(await sh("ps"), /^ +1 .*sleep 4141$/m);
  assert.equal(await sh("cat /proc/1/root/tmp/mine"), "secret\n");
  const ended = untilExited(bed.runtime, id);
  await bed.runtime.stopContainer(pod.target, { graceS: 0 });
  assert.equal((await ended).exitCode, 137);
  await pod.remove();
});

test("what a guest of a PID namespace started ends with the guest, and the target runs on", async () => {
  const pod = await podWithTarget(["sleep", "4343"]);
  const id = await pod.start(guest(["sh", "-c", "sleep 4444 & sleep 4545"], pod.target));
  const processes = async () => (await bed.runtime.execSync(pod.target, ["ps"], {})).stdout.toString();
  assert.match(await processes(), /sleep 4444/);
  await bed.runtime.stopContainer(id, { graceS: 0 });
  assert.doesNotMatch(await processes(), /4444|4545/);
  assert.equal((await bed.runtime.containerStatus(pod.target))!.state, "running");
  await pod.remove();
});

test("a target that has ended, that ends before the start, or that is another pod's, is refused", async () => {
  const refused = (reason: string) => (error: unknown) => (error as RuntimeError).reason === reason;
  const pod = await podWithTarget(["sleep", "1000"]);
  const other = await podWithTarget(["sleep", "1000"]);
  await assert.rejects(pod.create(guest(["true"], other.target)), refused("NotFound"));
  const early = await pod.create(guest(["true"], pod.target));
  await bed.runtime.stopContainer(pod.target, { graceS: 0 });
  await assert.rejects(pod.create(guest(["true"], pod.target, "late")), refused("CreateContainerError"));
  await assert.rejects(bed.runtime.startContainer(early), /is not running/);
  await pod.remove();
  await other.remove();
});
