import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type PodFeature, podFeatures } from "./support.ts";

/*
 * The published table, docs/PODS.md, says what `podFeatures` says: not more, not less, and with tests behind it.
 */

const top = fileURLToPath(new URL("../../../../..", import.meta.url));

interface Row {
  feature: string;
  fields: string[];
  verdict: string;
  what: string;
}

const codeIn = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);

const rows: Row[] = readFileSync(`${top}/docs/PODS.md`, "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| feature |"))
  .map((line) => {
    const [feature, fields, verdict, what] = line
      .slice(1, -1)
      .split(" | ")
      .map((cell) => cell.trim());
    return { feature: feature!, fields: codeIn(fields!), verdict: verdict!, what: what! };
  });

const verdicts: Record<PodFeature["support"], string> = {
  works: "works",
  warned: "warning",
  rejected: "rejected",
};

test("the published table has every field of a pod with what becomes of it, and no other", () => {
  const published = rows.flatMap(({ fields, verdict }) => fields.map((field) => `${field}: ${verdict}`));
  const known = podFeatures.map(({ field, support }) => `${field}: ${verdicts[support]}`);
  assert.deepEqual(published.sort(), known.sort());
});

test("what is warned of or refused is published in the words a client gets", () => {
  for (const feature of podFeatures) {
    if (feature.support === "works") continue;
    const row = rows.find(
      ({ fields, verdict }) => fields.includes(feature.field) && verdict === verdicts[feature.support],
    );
    assert.equal(row?.what, feature.text, feature.field);
  }
});

test("a feature is published as working with tests that are there, and as nothing else without a reason", () => {
  for (const { feature, verdict, what } of rows) {
    assert.ok(["works", "warning", "rejected"].includes(verdict), `${feature}: ${verdict}`);
    assert.notEqual(what, "", feature);
    if (verdict !== "works") continue;
    const tests = codeIn(what);
    assert.ok(tests.length > 0, feature);
    for (const file of tests) assert.ok(/\.test\.ts$/.test(file) && existsSync(`${top}/${file}`), file);
  }
});
