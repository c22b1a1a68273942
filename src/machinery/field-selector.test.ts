import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFieldSelector } from "./field-selector.ts";

test("a field selector matches by equality, an absent field being empty", () => {
  const selector = parseFieldSelector("status.phase!=Running,metadata.name==a,spec.nodeName=");
  assert.equal(selector.matches({ "metadata.name": "a", "status.phase": "Pending" }), true);
  assert.equal(selector.matches({ "metadata.name": "a", "status.phase": "Running" }), false);
  assert.equal(selector.matches({ "metadata.name": "a", "spec.nodeName": "n" }), false);
  assert.equal(selector.toString(), "metadata.name=a,spec.nodeName=,status.phase!=Running");
  assert.equal(parseFieldSelector("").empty, true);
});

test("a backslash takes the meaning from a comma", () => {
  const selector = parseFieldSelector("a=x\\,y\\=z");
  assert.deepEqual(selector.requirements, [{ field: "a", operator: "=", value: "x,y=z" }]);
  assert.equal(selector.toString(), "a=x\\,y\\=z");
});

test("a malformed field selector is a 400", () => {
  assert.throws(() => parseFieldSelector("nonsense"), {
    message: "invalid selector: 'nonsense'; can't understand 'nonsense'",
  });
  assert.throws(() => parseFieldSelector("a=b=c"), /unescaped character in value/);
  assert.throws(() => parseFieldSelector("a=b\\c"), /invalid escape sequence: \\c/);
});
