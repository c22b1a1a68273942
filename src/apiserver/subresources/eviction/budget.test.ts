import assert from "node:assert/strict";
import { test } from "node:test";
import type { policyv1 } from "../../../api/index.ts";
import { formatTime, StatusError } from "../../../machinery/index.ts";
import { spend } from "./budget.ts";

const nowMs = Date.UTC(2026, 0, 1);

const budget = (status: policyv1.PodDisruptionBudgetStatus): policyv1.PodDisruptionBudget => ({
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: { name: "b", namespace: "default", generation: 1 },
  spec: {},
  status: { observedGeneration: 1, ...status },
});
const condition = (reason: string, message: string) => ({
  type: "DisruptionAllowed",
  status: "False",
  reason,
  message,
  lastTransitionTime: formatTime(nowMs),
});

function refusal(status: policyv1.PodDisruptionBudgetStatus): StatusError {
  try {
    spend(budget(status), "p", nowMs);
  } catch (error) {
    assert.ok(error instanceof StatusError);
    return error;
  }
  return assert.fail("was allowed");
}

test("an eviction takes of what is allowed, and the budget remembers the pod", () => {
  const status = spend(budget({ disruptionsAllowed: 2 }), "p", nowMs);
  assert.equal(status.disruptionsAllowed, 1);
  assert.deepEqual(status.disruptedPods, { p: formatTime(nowMs) });
  assert.equal(status.conditions, undefined);
});

test("the last one is told in the condition", () => {
  const { conditions } = spend(budget({ disruptionsAllowed: 1 }), "p", nowMs);
  assert.equal(conditions![0]!.reason, "InsufficientPods");
});

const why: [string, policyv1.PodDisruptionBudgetStatus, string][] = [
  [
    "too few healthy pods",
    { currentHealthy: 2, desiredHealthy: 2 },
    "The disruption budget b needs 2 healthy pods and has 2 currently",
  ],
  [
    "a budget that failed",
    { conditions: [condition("SyncFailed", "found no controllers")] },
    "The disruption budget b does not allow evicting pods currently because it failed sync: found no controllers",
  ],
  [
    "another reason",
    { currentHealthy: 3, desiredHealthy: 2, conditions: [condition("Odd", "for some reason")] },
    "The disruption budget b does not allow evicting pods currently (Odd): for some reason",
  ],
  [
    "no reason",
    { currentHealthy: 3, desiredHealthy: 2 },
    "The disruption budget b does not allow evicting pods currently",
  ],
  [
    "a change that the controller has not seen",
    { observedGeneration: 0 },
    "The disruption budget b is still being processed by the server.",
  ],
];
for (const [what, status, message] of why)
  test(`refused for ${what}`, () => {
    const error = refusal({ disruptionsAllowed: 0, ...status });
    assert.equal(error.code, 429);
    assert.equal(error.message, "Cannot evict pod as it would violate the pod's disruption budget.");
    assert.deepEqual(error.status.details?.causes, [{ reason: "DisruptionBudget", message }]);
  });

test("a budget that is out of order allows nothing", () => {
  assert.match(refusal({ disruptionsAllowed: -1 }).message, /pdb disruptions allowed is negative/);
  const disruptedPods = Object.fromEntries(
    Array.from({ length: 2_001 }, (_, i) => [`p${i}`, formatTime(nowMs)]),
  );
  assert.match(refusal({ disruptionsAllowed: 1, disruptedPods }).message, /DisruptedPods map too big/);
});
