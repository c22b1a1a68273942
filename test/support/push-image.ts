import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostArchitecture } from "../../src/runtime/images/fake-registry.suite.ts";
import { OciLayout } from "../../src/testing/images/oci-layout.ts";
import { pushLayout } from "../../src/testing/registry/push.ts";
import type { TestCluster } from "./cluster.ts";

/** Pushes an image to the cluster's own registry: a layer for each script, which fills the directory it runs in. */
export async function pushImage(
  cluster: TestCluster,
  image: { name: string; tag?: string; layers: readonly string[] },
): Promise<void> {
  const { name, tag = "latest" } = image;
  const dir = mkdtempSync(join(tmpdir(), "peapod-image-"));
  try {
    const layout = await OciLayout.create(join(dir, "layout"));
    const layers = [];
    for (const [index, script] of image.layers.entries()) {
      const root = join(dir, `layer-${index}`);
      execFileSync("sh", ["-ec", `mkdir "${root}"; cd "${root}"; ${script}`]);
      layers.push(await layout.addLayer(root));
    }
    await layout.finish({ name: `${name}:${tag}`, architecture: hostArchitecture, layers, config: {} });
    const { port } = JSON.parse(readFileSync(join(cluster.dataDir, "registry/registry.json"), "utf8"));
    await pushLayout(layout.dir, {
      registry: `http://127.0.0.1:${port}`,
      repository: `library/${name}`,
      tag,
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
