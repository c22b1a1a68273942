import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { condition, isReady, statusOf, steppedNode } from "../testing/stepped-node.ts";
import { podsToPreempt } from "./preempt.ts";

type Amounts = Record<string, string>;
const pod = (
  name: string,
  requests: Amounts | undefined,
  more: Partial<corev1.PodSpec> & { limits?: Amounts } = {},
) => {
  const { limits, ...spec } = more;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "n", uid: name },
    spec: {
      priority: 0,
      nodeName: "node",
      containers: [{ name: "c", image: "i", resources: { requests, limits } }],
      ...spec,
    },
  } as corev1.Pod;
};
const guaranteed = (name: string, amounts: Amounts) => pod(name, amounts, { limits: amounts });
const critical = (requests: Amounts, more: Partial<corev1.PodSpec> = {}) =>
  pod("critical", requests, { priority: 2_000_001_000, ...more });
const node = {
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "node" },
  spec: {},
  status: { allocatable: { cpu: "1", memory: "1Gi", pods: "10" } },
} as corev1.Node;

const table: readonly [string, corev1.Pod, corev1.Pod[], string[] | undefined][] = [
  ["one that is not critical", pod("plain", { cpu: "800m" }), [pod("a", { cpu: "500m" })], undefined],
  ["one that no pods' going makes room for", critical({ cpu: "2" }), [pod("a", { cpu: "500m" })], undefined],
  [
    "one that its node selector keeps away",
    critical({ cpu: "800m" }, { nodeSelector: { disk: "ssd" } }),
    [pod("a", { cpu: "500m" })],
    undefined,
  ],
  [
    "one that the smallest pod makes room for",
    critical({ cpu: "300m" }),
    [pod("large", { cpu: "600m" }), pod("small", { cpu: "300m" })],
    ["small"],
  ],
  [
    "one that needs several",
    critical({ cpu: "900m" }),
    [pod("a", { cpu: "300m" }), pod("b", { cpu: "300m" }), pod("c", { cpu: "300m" })],
    ["a", "b", "c"],
  ],
  [
    "one: the better quality of service goes last",
    critical({ cpu: "400m" }),
    [guaranteed("sure", { cpu: "500m", memory: "1Mi" }), pod("burst", { cpu: "400m" })],
    ["burst"],
  ],
  [
    "one, but no other critical pod",
    critical({ cpu: "800m" }),
    [critical({ cpu: "500m" }), pod("a", { cpu: "100m" })],
    undefined,
  ],
];
for (const [what, wanted, others, expected] of table) {
  test(`room is made for ${what}`, () => {
    const victims = podsToPreempt(wanted, others, node)?.map(({ metadata }) => metadata.name);
    assert.deepEqual(victims, expected);
  });
}

test("a critical pod takes the place of others on its node, which are told why", async () => {
  await using agent = await steppedNode();
  const cpus = Number(agent.api.all("nodes")[0]!.status.allocatable.cpu);
  const half = { requests: { cpu: String(cpus * 0.6) } };
  agent.bind({ name: "plain", containers: [{ name: "c", image: "i", resources: half }] });
  await agent.until("plain", isReady);
  agent.bind({
    name: "critical",
    priority: 2_000_001_000,
    containers: [{ name: "c", image: "i", resources: half }],
  });
  await agent.until("critical", isReady);
  const gone = await agent.until("plain", ({ status }) => status?.phase === "Failed");
  assert.equal(gone.status!.reason, "Preempting");
  assert.equal(gone.status!.message, "Preempted in order to admit critical pod");
  assert.equal(condition(gone, "DisruptionTarget")!.reason, "TerminationByKubelet");
  assert.ok(statusOf(gone, "c")!.state!.terminated);
  assert.ok(agent.seen.some(({ reason, type }) => reason === "Preempting" && type === "Warning"));
});

test("a pod that makes place and ends well is Succeeded, and was disrupted all the same", async () => {
  await using agent = await steppedNode();
  agent.runtime.behaviours = () => ({ stopExitCode: 0 });
  const cpus = Number(agent.api.all("nodes")[0]!.status.allocatable.cpu);
  const containers = [{ name: "c", image: "i", resources: { requests: { cpu: String(cpus * 0.6) } } }];
  agent.bind({ name: "plain", containers });
  await agent.until("plain", isReady);
  agent.bind({ name: "critical", priority: 2_000_001_000, containers });
  const gone = await agent.until("plain", ({ status }) => status?.phase !== "Running");
  assert.equal(gone.status!.phase, "Succeeded");
  assert.deepEqual([gone.status!.reason, gone.status!.message], [undefined, undefined]);
  assert.equal(condition(gone, "DisruptionTarget")!.reason, "TerminationByKubelet");
  await agent.until("critical", isReady);
});
