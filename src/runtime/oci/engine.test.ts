import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { containerConfig, createTestBed, sandboxConfig, type TestBed, untilExited } from "./test-bed.ts";

let bed: TestBed;
before(async () => {
  bed = await createTestBed();
});
after(() => bed.close());

test("a container's output is logged in CRI's format and its exit code is known", async () => {
  const config = sandboxConfig(bed);
  const sandbox = await bed.runtime.runPodSandbox(config);
  const id = await bed.runtime.createContainer(
    sandbox,
    containerConfig(["sh", "-c", "echo hi; exit 3"]),
    config,
  );
  const exited = untilExited(bed.runtime, id);
  await bed.runtime.startContainer(id);
  const status = await exited;
  assert.equal(status.exitCode, 3);
  assert.equal(status.reason, "Error");
  assert.match(await readFile(status.logPath, "utf8"), /^\d{4}-.* stdout F hi\n$/);
  await bed.runtime.removePodSandbox(sandbox);
  assert.deepEqual(await bed.runtime.listContainers(), []);
  assert.deepEqual(await bed.runtime.listPodSandboxes(), []);
});
