import assert from "node:assert/strict";
import { test } from "node:test";
import { selectorOfLabels } from "../../machinery/index.ts";
import { scheduledPodOf } from "../node-info.ts";
import { node, on, placed, pod, type ViewDraft, viewOf } from "../view.suite.ts";
import { imageLocality } from "./image-locality.ts";
import { preferredNeighbours } from "./inter-pod-affinity.ts";
import { balancedAllocation, leastAllocated } from "./node-resources.ts";
import { evenSpread } from "./pod-topology-spread.ts";
import type { Scorer } from "./scorer.ts";
import { preferNoSchedule } from "./taint-toleration.ts";

const scored = (
  scorer: Scorer,
  asked: ReturnType<typeof pod>,
  nodes: ReturnType<typeof node>[],
  draft: ViewDraft = {},
) => scorer.scores(scheduledPodOf(asked), viewOf(nodes, draft), nodes);

const zone = (name: string, zone: string) => node(name, { labels: { zone } });
const web = (name: string, spec: object = {}) => pod(spec, {}, { name, labels: { app: "web" } });
const term = { labelSelector: { matchLabels: { app: "web" } }, topologyKey: "zone" };

test("the emptier node is better; containers that ask for nothing count with a guess", () => {
  const half = on(node("half", { cpu: "1" }), pod({}, { cpu: "500m", memory: "2Gi" }, { name: "x" }));
  // 100m and 200 MiB of 1 and 4Gi: 90 % and 95 % left.
  assert.deepEqual(scored(leastAllocated, pod(), [half, node("empty", { cpu: "1" })]), [42, 92]);
});

test("balance improves where the pod takes what is used less", () => {
  const cpuHeavy = on(node("a"), pod({}, { cpu: "1" }, { name: "x" }));
  const scores = scored(balancedAllocation, pod({}, { memory: "2Gi" }), [cpuHeavy, node("b")]);
  assert.deepEqual(scores, [87, 62]);
  assert.equal(scored(balancedAllocation, pod(), [cpuHeavy]), undefined);
});

test("fewer PreferNoSchedule taints that are not tolerated are better", () => {
  const tainted = (...keys: string[]) =>
    node(keys.join("-"), {
      spec: { taints: keys.map((key) => ({ key, effect: "PreferNoSchedule" as const })) },
    });
  const nodes = [tainted("a", "b"), tainted("a"), tainted()];
  assert.deepEqual(scored(preferNoSchedule, pod(), nodes), [0, 50, 100]);
  const tolerations = [{ key: "b", operator: "Exists", effect: "PreferNoSchedule" }];
  assert.deepEqual(scored(preferNoSchedule, pod({ tolerations }), nodes), [0, 0, 100]);
});

test("preferred neighbours attract and repel, in both directions", () => {
  const nodes = [on(zone("a", "1"), web("w")), zone("b", "2")];
  const preferring = (kind: string, weight: number) =>
    pod({
      affinity: {
        [kind]: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight, podAffinityTerm: term }] },
      },
    });
  assert.deepEqual(scored(preferredNeighbours, preferring("podAffinity", 7), nodes), [100, 0]);
  assert.deepEqual(scored(preferredNeighbours, preferring("podAntiAffinity", 7), nodes), [0, 100]);
  const fond = pod(
    {
      affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } },
    },
    {},
    { name: "fond" },
  );
  assert.deepEqual(
    scored(preferredNeighbours, web("new"), [zone("a", "1"), on(zone("b", "2"), fond)]),
    [0, 100],
  );
  assert.equal(scored(preferredNeighbours, web("new"), nodes), undefined);
});

test("pods that may be anywhere are rather spread", () => {
  const anyway = web("new", {
    topologySpreadConstraints: [{ maxSkew: 1, whenUnsatisfiable: "ScheduleAnyway", ...term }],
  });
  const nodes = [on(zone("a", "1"), web("w1"), web("w2")), on(zone("b", "2"), web("w3")), node("outside")];
  assert.deepEqual(scored(evenSpread, anyway, nodes), [33, 100, 0]);
});

test("pods of one controller are rather spread without being told", () => {
  const nodes = [on(node("a"), web("w1")), node("b")];
  const equalsOf = () => selectorOfLabels({ app: "web" });
  const scores = scored(evenSpread, web("w2"), nodes, { equalsOf });
  assert.deepEqual(scores, [66, 100]);
  assert.equal(scored(evenSpread, web("w2"), nodes), undefined);
  // They win over a slightly emptier node.
  const loaded = on(node("b"), pod({}, { cpu: "200m" }, { name: "x" }));
  assert.equal(placed(web("w2"), [nodes[0]!, loaded], { equalsOf }), "b");
});

test("a node that has the images is better, the larger they are", () => {
  const mib = 1024 * 1024;
  const having = (name: string, sizeBytes: number) =>
    node(name, { images: [{ names: ["docker.io/library/busybox:latest"], sizeBytes }] });
  const nodes = [having("a", 600 * mib), having("b", 10 * mib), node("c")];
  // Two of three nodes have it, so that two thirds of its size count.
  assert.deepEqual(scored(imageLocality, pod(), nodes), [38, 0, 0]);
  assert.equal(scored(imageLocality, pod(), [node("c")]), undefined);
});
