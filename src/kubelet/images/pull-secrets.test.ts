import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import type { ImageStore } from "../../runtime/index.ts";
import { isReady, steppedNode } from "../testing/stepped-node.ts";

test("images are pulled with the pod's secrets, then with the node's own credentials; a file of nonsense harms none", async () => {
  await using node = await steppedNode();
  const asked: string[][] = [];
  const images: Pick<ImageStore, "pull"> = node.runtime.images;
  const pull = images.pull.bind(images);
  images.pull = (name, options) => {
    asked.push((options?.auth ?? []).map(({ registry, username }) => `${registry} ${username}`));
    return pull(name, options);
  };
  const auth = (user: string) => ({
    auths: { "registry.example": { auth: Buffer.from(`${user}:secret`).toString("base64") } },
  });
  node.api.put("secrets", {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "own", namespace: "default" },
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": Buffer.from(JSON.stringify(auth("pod"))).toString("base64") },
  });
  const config = join(node.dir, "config.json");
  const run = async (name: string, imagePullSecrets: corev1.LocalObjectReference[] = []) => {
    node.bind({ name, imagePullSecrets, containers: [{ name: "c", image: `registry.example/${name}` }] });
    await node.until(name, isReady);
    return asked.at(-1);
  };
  assert.deepEqual(await run("nobody"), []);
  await writeFile(config, JSON.stringify(auth("node")));
  assert.deepEqual(await run("with-node"), ["registry.example node"]);
  assert.deepEqual(await run("with-both", [{ name: "own" }]), [
    "registry.example pod",
    "registry.example node",
  ]);
  await writeFile(config, "{ half");
  assert.deepEqual(await run("with-own", [{ name: "own" }]), ["registry.example pod"]);
});
