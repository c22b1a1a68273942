import assert from "node:assert/strict";
import { test } from "node:test";
import type { Image } from "../../runtime/index.ts";
import { nodeImages } from "./node-images.ts";

const image = (name: string, sizeBytes: number, tags = 1): Image => ({
  id: `sha256:${name}`,
  repoTags: Array.from({ length: tags }, (_, i) => `docker.io/library/${name}:${i}`),
  repoDigests: [`docker.io/library/${name}@sha256:1`],
  sizeBytes,
  user: {},
  config: {},
});

test("a node tells of its images, the largest first, by digest and tags", () => {
  assert.deepEqual(nodeImages([image("small", 1), image("large", 9)]), [
    { names: ["docker.io/library/large@sha256:1", "docker.io/library/large:0"], sizeBytes: 9 },
    { names: ["docker.io/library/small@sha256:1", "docker.io/library/small:0"], sizeBytes: 1 },
  ]);
});

test("neither many images nor many names make its object grow without end", () => {
  const told = nodeImages(Array.from({ length: 60 }, (_, i) => image(`i${i}`, i, 9)));
  assert.equal(told.length, 50);
  assert.equal(told[0]!.names!.length, 5);
});
