import assert from "node:assert/strict";
import { test } from "node:test";
import { statusPatch } from "./status-patch.ts";

const ready = (status: string, more: object = {}) => ({
  type: "Ready",
  status,
  lastTransitionTime: "2026-01-01T00:00:00Z",
  ...more,
});

test("only what has changed is written, and never what others own", () => {
  const written = {
    phase: "Pending",
    podIPs: [{ ip: "a" }],
    nominatedNodeName: "n",
    conditions: [ready("False", { reason: "X", message: "y" }), { type: "gate", status: "True" }],
  } as const;
  assert.equal(
    statusPatch(written as any, { ...written, conditions: [...written.conditions] } as any),
    undefined,
  );
  assert.deepEqual(
    statusPatch(
      written as any,
      { phase: "Running", podIPs: [{ ip: "b" }], conditions: [ready("True")] } as any,
    ),
    {
      phase: "Running",
      podIPs: [{ ip: "b" }, { $patch: "replace" }],
      conditions: [ready("True", { reason: null, message: null })],
    },
  );
});
