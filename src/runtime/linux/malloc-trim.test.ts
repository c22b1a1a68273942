import assert from "node:assert/strict";
import { test } from "node:test";
import { loadMallocTrim } from "./malloc-trim.ts";

test("libc gives back what was freed", async () => {
  const trim = await loadMallocTrim();
  assert.ok(trim, "glibc has malloc_trim");
  await trim();
});
