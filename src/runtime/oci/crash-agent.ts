/** The agent that crash.test.ts kills: makes and removes pods until then. */

import { join } from "node:path";
import { SystemClock, SystemRandom, silentLog } from "../../base/index.ts";
import { createOciRuntime } from "./create.ts";
import { containerConfig, FakeImageStore, noNetwork, sandboxConfig, type TestBed } from "./test-bed.ts";

const [dir, runDir, cgroupRoot] = process.argv.slice(2) as [string, string, string];
const images = await FakeImageStore.create(join(dir, "..", "images"));
const clock = new SystemClock();
const runtime = await createOciRuntime({
  ...{
    dir,
    runDir,
    images,
    cgroupRoot,
    clock,
    random: new SystemRandom(),
    log: silentLog,
    network: noNetwork,
  },
});
process.stdout.write("ready\n");

async function onePod(): Promise<void> {
  const config = sandboxConfig({ dir } as TestBed);
  config.metadata.uid = `${process.pid}-${Math.trunc(clock.monotonicMs() * 1000)}`;
  const sandbox = await runtime.runPodSandbox(config);
  for (const name of ["a", "b"]) {
    const container = containerConfig(["sleep", "1000"], {
      metadata: { name, attempt: 0 },
      logPath: `${name}.log`,
    });
    const id = await runtime.createContainer(sandbox, container, config);
    await runtime.startContainer(id);
  }
  await runtime.removePodSandbox(sandbox);
}

const oneAfterAnother = async (): Promise<never> => {
  for (;;) await onePod();
};
await Promise.all([oneAfterAnother(), oneAfterAnother()]);
