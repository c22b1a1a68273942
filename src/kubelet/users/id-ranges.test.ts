import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type IdRange, IdRanges, subordinateIds } from "./id-ranges.ts";

const dirs: string[] = [];
after(() => Promise.all(dirs.map((dir) => rm(dir, { recursive: true, force: true }))));

async function ranges(given?: IdRange, idsPerPod = 65_536) {
  const podsDir = await mkdtemp(join(tmpdir(), "peapod-ranges-"));
  dirs.push(podsDir);
  const open = (length = idsPerPod) => new IdRanges({ podsDir, idsPerPod: length, given: () => given });
  return { podsDir, open };
}

test("each pod has a range of its own, the same again after the agent's restart, free once it is gone", async () => {
  const { open, podsDir } = await ranges();
  const first = open();
  assert.deepEqual(first.of("a"), { hostId: 65_536, length: 65_536 });
  assert.deepEqual(first.of("b"), { hostId: 131_072, length: 65_536 });
  assert.deepEqual(first.of("a"), { hostId: 65_536, length: 65_536 });
  assert.deepEqual(JSON.parse(await readFile(join(podsDir, "b", "userns"), "utf8")), {
    uidMappings: [{ hostId: 131_072, containerId: 0, length: 65_536 }],
    gidMappings: [{ hostId: 131_072, containerId: 0, length: 65_536 }],
  });
  const second = open();
  assert.deepEqual(second.of("b"), { hostId: 131_072, length: 65_536 });
  assert.deepEqual(second.of("c"), { hostId: 196_608, length: 65_536 });
  await rm(join(podsDir, "a"), { recursive: true });
  assert.deepEqual(second.of("d"), { hostId: 65_536, length: 65_536 });
});

test("ranges lie where the machine's administrator wants them, and end with them", async () => {
  const { open, podsDir } = await ranges({ hostId: 131_072, length: 131_072 });
  const kubelet = open();
  assert.equal(kubelet.of("a").hostId, 131_072);
  assert.equal(kubelet.of("b").hostId, 196_608);
  assert.throws(() => kubelet.of("c"), /could not find an empty slot/);
  assert.equal(existsSync(join(podsDir, "c")), false);
  const odd = await ranges({ hostId: 100_000, length: 65_536 });
  assert.throws(() => odd.open().of("a"), /are no multiple of 65536/);
});

test("ranges of another length that an earlier agent gave are passed over", async () => {
  const { open } = await ranges();
  open().of("a");
  assert.deepEqual(open(131_072).of("b"), { hostId: 131_072, length: 131_072 });
  assert.deepEqual(open().of("c"), { hostId: 262_144, length: 65_536 });
});

test("a range that was written by somebody else is checked", async () => {
  const { open, podsDir } = await ranges();
  open().of("a");
  const mapping = { hostId: 65_536, containerId: 0, length: 65_536 };
  const wrong: [object, RegExp][] = [
    [{ uidMappings: [mapping], gidMappings: [] }, /GID and UID mapping should be identical/],
    [{ uidMappings: [{ ...mapping, containerId: 5 }], gidMappings: [mapping] }, /UID 0 must be mapped/],
    [{ uidMappings: [mapping, mapping], gidMappings: [mapping] }, /in one mapping/],
  ];
  for (const [content, message] of wrong) {
    await writeFile(join(podsDir, "a", "userns"), JSON.stringify(content));
    assert.throws(() => open().of("a"), message);
  }
});

test("the user kubelet's subordinate ids are taken, if they are one range", () => {
  assert.equal(subordinateIds("ann:100000:65536\n", ""), undefined);
  const line = "kubelet:131072:7208960\n";
  assert.deepEqual(subordinateIds(`ann:1:2\n${line}`, line), { hostId: 131_072, length: 7_208_960 });
  assert.throws(() => subordinateIds(line, ""), /mismatched subuids and subgids/);
  assert.throws(() => subordinateIds(line + line, line + line), /must have one range/);
});
