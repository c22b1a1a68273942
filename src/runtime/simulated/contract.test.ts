import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SystemClock, SystemRandom } from "../../base/index.ts";
import { contractSuite } from "../contract.suite.ts";
import { SimulatedRuntime } from "./runtime.ts";

contractSuite("the simulated engine", async () => {
  const dir = await mkdtemp(join(tmpdir(), "peapod-simulated-"));
  const runtime = new SimulatedRuntime({ clock: new SystemClock(), random: new SystemRandom() });
  const { id: imageId } = await runtime.images.pull("busybox");
  return {
    ...{ runtime, dir, imageId, runs: "nothing" },
    close: async () => {
      await runtime.close();
      await rm(dir, { recursive: true });
    },
  };
});
