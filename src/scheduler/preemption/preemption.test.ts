import assert from "node:assert/strict";
import { test } from "node:test";
import type { policyv1 } from "../../api/index.ts";
import { schedule, startCycle } from "../schedule.ts";
import { node, on, pod, type ViewDraft, viewOf } from "../view.suite.ts";
import { planPreemption } from "./plan-preemption.ts";

const running = (name: string, priority: number, cpu = "1", metadata: object = {}, status: object = {}) => ({
  ...pod({ priority }, { cpu }, { name, labels: { app: name }, ...metadata }),
  status: { startTime: "2026-01-01T00:00:00Z", ...status },
});
const urgent = (cpu = "1", spec: object = {}, status: object = {}) => ({
  ...pod({ priority: 100, ...spec }, { cpu }),
  status,
});

function budget(app: string, disruptionsAllowed: number): policyv1.PodDisruptionBudget {
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name: app, namespace: "default" },
    spec: { selector: { matchLabels: { app } } },
    status: { disruptionsAllowed },
  };
}

/** `node: victims`, or the message. */
function preempted(
  asked: ReturnType<typeof pod>,
  nodes: ReturnType<typeof node>[],
  draft: ViewDraft = {},
): string {
  const cycle = startCycle(asked, viewOf(nodes, draft));
  const placement = schedule(cycle);
  if ("node" in placement) return assert.fail(`fits on ${placement.node}`);
  const plan = planPreemption(cycle, placement.refusals);
  return plan.do === "nothing"
    ? plan.message
    : `${plan.node}: ${plan.victims.map(({ pod }) => pod.metadata.name).join(" ")}`;
}

const cases: {
  says: string;
  pod?: ReturnType<typeof pod>;
  nodes: ReturnType<typeof node>[];
  draft?: ViewDraft;
  goes: string;
}[] = [
  {
    says: "only as many pods go as make room, the least important ones",
    nodes: [on(node("a", { cpu: "3" }), running("low", 1), running("lower", 0), running("middle", 5))],
    goes: "a: lower",
  },
  {
    says: "no pod goes for one that is not more important",
    nodes: [on(node("a"), running("equal", 100, "2"))],
    goes: "0/1 nodes are available: 1 No preemption victims found for incoming pod.",
  },
  {
    says: "nor where the node would not do without them either",
    pod: urgent("3"),
    nodes: [on(node("a"), running("low", 1, "2"))],
    goes: "0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
  },
  {
    says: "nor where more important pods take what is left",
    pod: urgent("2"),
    nodes: [on(node("a"), running("low", 1), running("high", 200))],
    goes: "0/1 nodes are available: 1 Insufficient cpu.",
  },
  {
    says: "nor for a pod that never preempts",
    pod: urgent("1", { preemptionPolicy: "Never" }),
    nodes: [on(node("a"), running("low", 1, "2"))],
    goes: "not eligible due to preemptionPolicy=Never.",
  },
  {
    says: "of the nodes the one whose victims are the least important is chosen",
    nodes: [on(node("a"), running("middle", 5, "2")), on(node("b"), running("low", 1, "2"))],
    goes: "b: low",
  },
  {
    says: "then the one with fewer victims",
    nodes: [on(node("a"), running("x", 1), running("y", 1)), on(node("b"), running("z", 1, "2"))],
    pod: urgent("2"),
    goes: "b: z",
  },
  {
    says: "then the one whose victims have run for the shortest time",
    nodes: [
      on(node("a"), running("old", 1, "2")),
      on(node("b"), running("young", 1, "2", {}, { startTime: "2026-01-02T00:00:00Z" })),
    ],
    goes: "b: young",
  },
  {
    says: "a budget is kept if there is another way, on the same node",
    nodes: [on(node("a"), running("guarded", 0), running("free", 5))],
    draft: { budgets: [budget("guarded", 0)] },
    goes: "a: free",
  },
  {
    says: "or on another one, even if that is dearer",
    nodes: [on(node("a"), running("guarded", 0, "2")), on(node("b"), running("free", 5, "2"))],
    draft: { budgets: [budget("guarded", 0)] },
    goes: "b: free",
  },
  {
    says: "but it does not protect for ever",
    nodes: [on(node("a"), running("guarded", 0, "2"))],
    draft: { budgets: [budget("guarded", 0)] },
    goes: "a: guarded",
  },
  {
    says: "host ports are made free",
    pod: pod({
      priority: 100,
      containers: [{ name: "c", image: "i", ports: [{ containerPort: 80, hostPort: 80, protocol: "TCP" }] }],
    }),
    nodes: [
      on(
        node("a"),
        running("other", 0),
        pod(
          {
            priority: 1,
            containers: [
              { name: "c", image: "i", ports: [{ containerPort: 1, hostPort: 80, protocol: "TCP" }] },
            ],
          },
          {},
          { name: "holder" },
        ),
      ),
    ],
    goes: "a: holder",
  },
  {
    says: "pods that this one must not be near make room",
    pod: pod({
      priority: 100,
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "noise" } } },
          ],
        },
      },
    }),
    nodes: [on(node("a"), running("noise", 1), running("other", 0))],
    goes: "a: noise",
  },
  {
    says: "nodes with a taint or the wrong labels are left in peace",
    nodes: [
      on(node("a", { spec: { taints: [{ key: "k", effect: "NoSchedule" }] } }), running("low", 1, "2")),
      on(node("b"), running("high", 200, "2")),
    ],
    goes: "0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.",
  },
  {
    says: "a pod whose victims are still going waits for them",
    pod: urgent("1", {}, { nominatedNodeName: "a" }),
    nodes: [
      on(
        node("a"),
        running(
          "low",
          1,
          "2",
          { deletionTimestamp: "2026-01-01T00:00:30Z" },
          {
            conditions: [{ type: "DisruptionTarget", status: "True", reason: "PreemptionByScheduler" }],
          },
        ),
      ),
      on(node("b"), running("lower", 0, "2")),
    ],
    goes: "not eligible due to a terminating pod on the nominated node.",
  },
];
for (const { says, pod = urgent(), nodes, draft, goes } of cases)
  test(says, () => {
    assert.equal(preempted(pod, nodes, draft), goes);
  });

test("room that was made for a pod is not taken by a lesser one", () => {
  const waiting = { ...urgent("2"), metadata: { name: "waiting", namespace: "default" } };
  const nominated = { a: [waiting] };
  const place = (asked: ReturnType<typeof pod>) =>
    schedule(startCycle(asked, viewOf([node("a")], { nominated })));
  assert.ok("unschedulable" in place(running("small", 1)));
  // A more important one need not wait, nor does the pod wait for itself.
  assert.deepEqual(place(running("huge", 200)), { node: "a" });
  assert.deepEqual(place(waiting), { node: "a" });
});

test("a decision leaves what it thought about as it was", () => {
  const a = on(node("a"), running("low", 1), running("lower", 0));
  const cycle = startCycle(urgent("2"), viewOf([a]));
  const placement = schedule(cycle);
  assert.ok("refusals" in placement);
  const first = planPreemption(cycle, placement.refusals);
  assert.deepEqual([...a.pods.keys()], ["default/low", "default/lower"]);
  assert.equal(a.requested.get("cpu"), 2000);
  assert.deepEqual(planPreemption(cycle, placement.refusals), first);
});
