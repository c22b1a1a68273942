import assert from "node:assert/strict";
import { test } from "node:test";
import { storm } from "./support/fuzz/storm.ts";

for (const seed of [1, 2]) {
  test(`requests that are wrong in one place or three are answered with what is wrong, and disturb nothing (${seed})`, async () => {
    const { findings, created, requests } = await storm({ seed, requests: 1_000 });
    assert.deepEqual(findings, []);
    assert.ok(created > requests / 20, `only ${created} of ${requests} requests made an object`);
  });
}
