import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalQuantity, parseQuantity, Quantity } from "./quantity.ts";

test("a quantity is written in its canonical form", () => {
  const cases = {
    "0": "0",
    "0.5": "500m",
    "1000m": "1",
    "1500m": "1500m",
    "1024Mi": "1Gi",
    "1500Mi": "1500Mi",
    "1.5Gi": "1536Mi",
    "0.5Mi": "512Ki",
    "1000Ki": "1000Ki",
    "100Mi": "100Mi",
    "512": "512",
    "1000": "1k",
    "12000000": "12M",
    "1e3": "1e3",
    "1500e-3": "1500e-3",
    "12E": "12E",
    "+5": "5",
    "-3k": "-3k",
    ".5": "500m",
    "5.": "5",
    "0.1n": "1n",
    "1.1Ki": "1126400m",
    "16Ei": "9223372036854775807",
  };
  for (const [text, canonical] of Object.entries(cases))
    assert.equal(canonicalQuantity(text), canonical, text);
});

test("what is no quantity is refused in upstream's words", () => {
  assert.throws(() => parseQuantity(""), /quantities must match the regular expression/);
  assert.throws(() => parseQuantity("10 Mi"), /quantities must match the regular expression/);
  assert.throws(() => parseQuantity("1.2.3"), /unable to parse numeric part of quantity/);
  assert.throws(() => parseQuantity("10mi"), /unable to parse quantity's suffix|must match/);
  assert.throws(() => parseQuantity("1KI"), /must match/);
});

test("quantities are compared, added and read as numbers exactly", () => {
  assert.equal(parseQuantity("1Gi").compare(parseQuantity("1024Mi")), 0);
  assert.ok(parseQuantity("1G").compare(parseQuantity("1Gi")) < 0);
  assert.equal(parseQuantity("100m").add(parseQuantity("0.9")).toString(), "1");
  assert.equal(parseQuantity("1Gi").sub(parseQuantity("512Mi")).toString(), "512Mi");
  assert.equal(parseQuantity("0").add(parseQuantity("2Ki")).toString(), "2Ki");
  assert.equal(parseQuantity("1.5").milliValue(), 1_500);
  assert.equal(parseQuantity("1.0001").value(), 2);
  assert.equal(parseQuantity("128Mi").value(), 134_217_728);
  assert.equal(Quantity.of(134_217_728, "binarySI").toString(), "128Mi");
  assert.equal(Quantity.ofMilli(250).toString(), "250m");
});

test("an absurd exponent costs nothing", () => {
  assert.equal(typeof canonicalQuantity("1e999999999"), "string");
});
