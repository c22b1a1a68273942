import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startNode } from "../testing/node.ts";
import { readHugepages } from "./host-info.ts";

test("a node has the huge pages that its kernel has set aside, of each size", async () => {
  const folder = await mkdtemp(join(tmpdir(), "peapod-hugepages-"));
  try {
    for (const [name, pages] of [
      ["hugepages-2048kB", 5],
      ["hugepages-1048576kB", 1],
      ["hugepages-64kB", 0],
    ]) {
      await mkdir(join(folder, `${name}`));
      await writeFile(join(folder, `${name}`, "nr_hugepages"), `${pages}\n`);
    }
    assert.deepEqual(await readHugepages(folder), {
      "hugepages-2Mi": "10Mi",
      "hugepages-1Gi": "1Gi",
      "hugepages-64Ki": "0",
    });
    assert.deepEqual(await readHugepages(join(folder, "nowhere")), {});
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("an agent takes back huge pages that its kernel does not know, and leaves what others gave the node", async () => {
  await using node = await startNode();
  const [object] = node.api.all("nodes") as any[];
  const others = { "hugepages-3Mi": "9Mi", "example.com/gpu": "2" };
  const withOthers = (list: object) => ({ ...list, ...others });
  const { capacity, allocatable } = object.status;
  node.api.put("nodes", {
    ...object,
    status: { ...object.status, capacity: withOthers(capacity), allocatable: withOthers(allocatable) },
  });
  await node.restart();
  const { status } = await node.eventually("the huge pages are gone", () => {
    const [now] = node.api.all("nodes") as any[];
    return now.status.capacity["hugepages-3Mi"] === undefined ? now : undefined;
  });
  assert.equal(status.allocatable["hugepages-3Mi"], undefined);
  assert.deepEqual([status.capacity["example.com/gpu"], status.allocatable["example.com/gpu"]], ["2", "2"]);
  assert.deepEqual(Object.keys(status.capacity).sort(), [...Object.keys(capacity), "example.com/gpu"].sort());
});
