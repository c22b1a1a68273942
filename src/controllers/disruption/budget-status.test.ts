import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1, policyv1 } from "../../api/index.ts";
import { formatTime } from "../../machinery/index.ts";
import { budgetStatus, failedStatus, needsScale } from "./budget-status.ts";
import { staleAfterMs } from "./stale-disruptions.ts";

const nowMs = Date.UTC(2026, 0, 1);
const ago = (seconds: number) => formatTime(nowMs - seconds * 1_000);

const budget = (
  spec: policyv1.PodDisruptionBudgetSpec,
  status?: policyv1.PodDisruptionBudgetStatus,
): policyv1.PodDisruptionBudget => ({
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: { name: "b", namespace: "default", generation: 2 },
  spec,
  ...(status && { status }),
});

const pods = (...states: ("ready" | "unready" | "going")[]): corev1.Pod[] =>
  states.map(
    (state, i) =>
      ({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: `p${i}`, ...(state === "going" && { deletionTimestamp: ago(1) }) },
        status: { conditions: [{ type: "Ready", status: state === "unready" ? "False" : "True" }] },
      }) as corev1.Pod,
  );

const cases: [string, policyv1.PodDisruptionBudgetSpec, corev1.Pod[], number, object][] = [
  [
    "what is above the minimum may go",
    { minAvailable: 1 },
    pods("ready", "ready", "ready"),
    0,
    { disruptionsAllowed: 2, currentHealthy: 3, desiredHealthy: 1, expectedPods: 3 },
  ],
  [
    "pods that are not ready, or are going, are missing already",
    { minAvailable: 1 },
    pods("ready", "unready", "going"),
    0,
    { disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, expectedPods: 3 },
  ],
  [
    "a percentage is of what the controllers want, rounded up",
    { minAvailable: "50%" },
    pods("ready", "ready", "ready"),
    5,
    { disruptionsAllowed: 0, currentHealthy: 3, desiredHealthy: 3, expectedPods: 5 },
  ],
  [
    "so is what may be missing",
    { maxUnavailable: "30%" },
    pods("ready", "ready", "ready"),
    3,
    { disruptionsAllowed: 1, currentHealthy: 3, desiredHealthy: 2, expectedPods: 3 },
  ],
  [
    "more than all may be missing",
    { maxUnavailable: 5 },
    pods("ready", "ready"),
    2,
    { disruptionsAllowed: 2, currentHealthy: 2, desiredHealthy: 0, expectedPods: 2 },
  ],
  [
    "a budget without pods allows nothing",
    { maxUnavailable: 1 },
    [],
    0,
    { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
  ],
  [
    "a budget that says nothing allows nothing",
    {},
    pods("ready"),
    1,
    { disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 0, expectedPods: 0 },
  ],
];
for (const [says, spec, those, scale, counts] of cases)
  test(says, () => {
    const { status } = budgetStatus(budget(spec), those, scale, nowMs);
    const { conditions, observedGeneration, ...rest } = status;
    assert.deepEqual(rest, counts);
    assert.equal(observedGeneration, 2);
    const isAllowed = (status.disruptionsAllowed ?? 0) > 0;
    assert.deepEqual(conditions, [
      {
        type: "DisruptionAllowed",
        status: isAllowed ? "True" : "False",
        reason: isAllowed ? "SufficientPods" : "InsufficientPods",
        message: "",
        observedGeneration: 2,
        lastTransitionTime: formatTime(nowMs),
      },
    ]);
  });

test("only a number of pods that must stay needs no controllers", () => {
  assert.equal(needsScale(budget({ minAvailable: 1 })), false);
  assert.equal(needsScale(budget({ minAvailable: "1%" })), true);
  assert.equal(needsScale(budget({ maxUnavailable: 1 })), true);
});

test("a pod whose eviction is allowed counts as gone, until it is clear that it stays", () => {
  const disruptedPods = { p0: ago(30), p1: ago(121), gone: ago(1) };
  const outcome = budgetStatus(
    budget({ minAvailable: 1 }, { disruptedPods }),
    pods("ready", "ready", "ready"),
    0,
    nowMs,
  );
  assert.equal(outcome.status.currentHealthy, 2);
  assert.deepEqual(outcome.status.disruptedPods, { p0: ago(30) });
  assert.deepEqual(
    outcome.notDeleted.map((pod) => pod.metadata.name),
    ["p1"],
  );
  assert.equal(outcome.afterMs, 90_000);
});

test("the condition's time is that of its last change", () => {
  const first = budgetStatus(budget({ minAvailable: 1 }), pods("ready"), 0, nowMs - 60_000).status;
  const again = budgetStatus(budget({ minAvailable: 1 }, first), pods("ready"), 0, nowMs).status;
  assert.equal(again.conditions![0]!.lastTransitionTime, ago(60));
  const allowed = budgetStatus(budget({ minAvailable: 0 }, first), pods("ready"), 0, nowMs).status;
  assert.equal(allowed.conditions![0]!.lastTransitionTime, ago(0));
});

test("a budget that can't be calculated allows nothing and says why", () => {
  const before = budgetStatus(budget({ minAvailable: 0 }), pods("ready"), 0, nowMs).status;
  const failed = failedStatus(budget({ minAvailable: 0 }, before), "no controllers", nowMs);
  assert.equal(failed.disruptionsAllowed, 0);
  assert.equal(failed.currentHealthy, 1);
  const { status, reason, message } = failed.conditions![0]!;
  assert.deepEqual([status, reason, message], ["False", "SyncFailed", "no controllers"]);
});

test("an announced disruption that nobody carries out is taken back after two minutes", () => {
  const marked = (change: object = {}, more: object = {}) =>
    ({
      metadata: { name: "p", ...more },
      status: {
        phase: "Running",
        conditions: [{ type: "DisruptionTarget", status: "True", lastTransitionTime: ago(30) }],
        ...change,
      },
    }) as corev1.Pod;
  assert.equal(staleAfterMs(marked(), nowMs), 90_000);
  assert.equal(staleAfterMs(marked(), nowMs + 600_000), 0);
  assert.equal(staleAfterMs(marked({ phase: "Failed" }), nowMs), undefined);
  assert.equal(staleAfterMs(marked({ conditions: [] }), nowMs), undefined);
  assert.equal(staleAfterMs(marked({}, { deletionTimestamp: ago(1) }), nowMs), undefined);
});
