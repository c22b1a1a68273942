import assert from "node:assert/strict";
import { test } from "node:test";
import { bandwidthOf } from "./bandwidth.ts";

const ingress = "kubernetes.io/ingress-bandwidth";
const egress = "kubernetes.io/egress-bandwidth";

test("bandwidth is read from a pod's annotations, in bits a second", () => {
  assert.deepEqual(bandwidthOf({}), {});
  assert.deepEqual(bandwidthOf({ [ingress]: "10M", [egress]: "1k", other: "x" }), {
    ingressBitsPerS: 10_000_000,
    egressBitsPerS: 1_000,
  });
  assert.deepEqual(bandwidthOf({ [egress]: "1P" }), { egressBitsPerS: 1e15 });
});

test("a bandwidth that no pod could mean is refused", () => {
  for (const [text, why] of [
    ["999", /unreasonably small \(< 1kbit\)/],
    ["0", /unreasonably small/],
    ["1001T", /unreasonably large \(> 1Pbit\)/],
    ["fast", /annotation kubernetes.io\/ingress-bandwidth: "fast": /],
  ] as const) {
    assert.throws(() => bandwidthOf({ [ingress]: text }), why);
  }
});
