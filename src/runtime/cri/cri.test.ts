import { join } from "node:path";
import { SystemClock, SystemRandom, silentLog } from "../../base/index.ts";
import { contractSuite } from "../contract.suite.ts";
import { createTestBed } from "../oci/test-bed.ts";
import { createCriRuntime, serveCri } from "./index.ts";

contractSuite("the oci engine behind CRI v1", async () => {
  const bed = await createTestBed();
  const [clock, random, log] = [new SystemClock(), new SystemRandom(), silentLog];
  const server = await serveCri({
    ...{ clock, random, log, runtime: bed.runtime, imagesDir: bed.dir },
    socketPath: join(bed.dir, "cri.sock"),
  });
  const runtime = await createCriRuntime({
    ...{ clock, log, endpoint: server.endpoint },
    owner: "suite",
    cgroupRoot: "pods",
  });
  return {
    ...{ runtime, dir: bed.dir, imageId: "sha256:busybox", runs: "processes" },
    close: async () => {
      await runtime.close();
      await server.close();
      await bed.close();
    },
  };
});
