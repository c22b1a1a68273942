import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { crashRounds } from "./testing/crash-rounds.ts";

test("kill -9 during a storm of writes, a hundred times, loses no acknowledged write and tears none", async () => {
  const dir = mkdtempSync(join(tmpdir(), "peapod-crash-"));
  try {
    const { acknowledged } = await crashRounds({ dir, rounds: 100, seed: 20_260_101 });
    assert.ok(acknowledged > 1_000, `only ${acknowledged} writes`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
