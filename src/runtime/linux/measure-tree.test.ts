import assert from "node:assert/strict";
import { link, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { measureTrees } from "./du.ts";
import { measureTree } from "./measure-tree.ts";

test("a tree's files are counted alike, whether it is small and walked here or large and walked by a child", async () => {
  const root = await mkdtemp(join(tmpdir(), "peapod-tree-"));
  try {
    const folder = join(root, "with spaces\nand a line", "deep");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "file"), Buffer.alloc(100_000));
    await link(join(folder, "file"), join(folder, "again"));
    assert.deepEqual(await measureTree(root), (await measureTrees([root])).get(root));
    assert.equal((await measureTree(root))!.inodesUsed, 4);

    const names = Array.from({ length: 3_000 }, (_, i) => join(folder, `small-${i}`));
    for (const name of names) await writeFile(name, "x");
    const large = (await measureTree(root))!;
    assert.equal(large.inodesUsed, 3_004);
    assert.ok(large.usedBytes > 100_000 + 3_000 * 512);
    assert.equal(await measureTree(join(root, "none")), undefined);
    assert.deepEqual([...(await measureTrees([join(root, "none"), folder])).keys()], [folder]);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
