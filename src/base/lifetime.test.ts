import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { createLifetime } from "./lifetime.ts";

test("many parts may wait for the end of one lifetime without a warning", async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on("warning", note);
  try {
    const lifetime = createLifetime();
    let ended = 0;
    for (let i = 0; i < 100; i++) lifetime.signal.addEventListener("abort", () => ended++);
    lifetime.abort();
    await setImmediate();
    assert.equal(ended, 100);
    assert.deepEqual(warnings, []);
  } finally {
    process.off("warning", note);
  }
});
