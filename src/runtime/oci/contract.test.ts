import { contractSuite } from "../contract.suite.ts";
import { createTestBed } from "./test-bed.ts";

contractSuite("the oci engine", async () => {
  const bed = await createTestBed();
  return {
    runtime: bed.runtime,
    dir: bed.dir,
    imageId: "sha256:busybox",
    runs: "processes",
    close: () => bed.close(),
  };
});
