import assert from "node:assert/strict";
import { test } from "node:test";
import { featuresOf } from "./features.ts";

test("an engine mounts images from the version on that learned it; one nobody knows is believed", () => {
  const cases: [name: string, version: string, mountsImages: boolean][] = [
    ["containerd", "1.6.20~ds1", false],
    ["containerd", "v2.0.5", false],
    ["containerd", "v2.1.0-rc.1", true],
    ["containerd", "v3.0.0", true],
    ["cri-o", "1.30.9", false],
    ["cri-o", "1.31.0", true],
    ["peapod", "0.1.0", true],
  ];
  for (const [runtimeName, runtimeVersion, expected] of cases) {
    const { imageVolumes } = featuresOf(
      { runtimeHandlers: [], features: null },
      { runtimeName, runtimeVersion },
    );
    assert.equal(imageVolumes, expected, `${runtimeName} ${runtimeVersion}`);
  }
});
