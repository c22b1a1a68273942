import assert from "node:assert/strict";
import { test } from "node:test";
import { node, on, placed, pod, type ViewDraft } from "../view.suite.ts";

const zone = (name: string, zone: string) => node(name, { labels: { zone } });
const labelled = (name: string, labels: object, spec: object = {}, namespace = "default") =>
  pod(spec, {}, { name, namespace, labels });

const term = (app: string, more: object = {}) => ({
  labelSelector: { matchLabels: { app } },
  topologyKey: "zone",
  ...more,
});
const near = (...terms: object[]) => ({
  affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});
const away = (...terms: object[]) => ({
  affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});

/** Two zones; the web is in the first. */
const zones = () => [on(zone("a", "1"), labelled("web", { app: "web" })), zone("b", "2")];

const noAffinity = "node(s) didn't match pod affinity rules";
const noAntiAffinity = "node(s) didn't match pod anti-affinity rules";
const shunned = "node(s) didn't satisfy existing pods anti-affinity rules";

const cases: {
  says: string;
  pod: ReturnType<typeof pod>;
  nodes?: ReturnType<typeof node>[];
  draft?: ViewDraft;
  goes: string;
}[] = [
  { says: "a pod goes where the pod is that it must be near", pod: pod(near(term("web"))), goes: "a" },
  {
    says: "near is the same value of the topology's label, not the same node",
    pod: pod(near(term("web"))),
    nodes: [on(zone("full", "1"), labelled("web", { app: "web" }, {})), zone("z", "1"), zone("b", "2")],
    goes: "z",
  },
  {
    says: "without such a pod there is nowhere to go",
    pod: pod(near(term("db"))),
    goes: `0/2 nodes are available: 2 ${noAffinity}.`,
  },
  {
    says: "the first of pods that want to be near each other goes anywhere",
    pod: labelled("db-1", { app: "db" }, near(term("db"))),
    nodes: [zone("a", "1")],
    goes: "a",
  },
  {
    says: "but not to a node outside the topology",
    pod: labelled("db-1", { app: "db" }, near(term("db"))),
    nodes: [node("a")],
    goes: `0/1 nodes are available: 1 ${noAffinity}.`,
  },
  {
    says: "of several terms all must hold, each for its own topology",
    pod: labelled("p", {}, near(term("web"), term("web", { topologyKey: "kubernetes.io/hostname" }))),
    nodes: [zone("b", "1"), ...zones()],
    goes: "a",
  },
  { says: "a pod stays away from what it must not be near", pod: pod(away(term("web"))), goes: "b" },
  {
    says: "and waits where that is everywhere",
    pod: pod(away(term("web"))),
    nodes: [zones()[0]!],
    goes: `0/1 nodes are available: 1 ${noAntiAffinity}.`,
  },
  {
    says: "a node outside the topology is away from everything",
    pod: pod(away(term("web"))),
    nodes: [zones()[0]!, node("outside")],
    goes: "outside",
  },
  {
    says: "what is there keeps others away, too",
    pod: labelled("intruder", { app: "noise" }),
    nodes: [on(zone("a", "1"), labelled("quiet", { app: "quiet" }, away(term("noise"))))],
    goes: `0/1 nodes are available: 1 ${shunned}.`,
  },
  {
    says: "a term is about its own namespace only",
    pod: labelled("p", {}, near(term("web")), "other"),
    goes: `0/2 nodes are available: 2 ${noAffinity}.`,
  },
  {
    says: "unless it names others",
    pod: labelled("p", {}, near(term("web", { namespaces: ["default"] })), "other"),
    goes: "a",
  },
  {
    says: "or selects them by their labels",
    pod: labelled("p", {}, away(term("web", { namespaceSelector: { matchLabels: { team: "x" } } })), "other"),
    draft: { namespaces: { default: { team: "x" } } },
    goes: "b",
  },
  {
    says: "an empty selector of namespaces is about all",
    pod: labelled("p", {}, near(term("web", { namespaceSelector: {} })), "other"),
    goes: "a",
  },
  {
    says: "namespaces of pods that are there are looked up as well",
    pod: labelled("p", { app: "noise" }, {}, "other"),
    nodes: [
      on(
        zone("a", "1"),
        labelled("quiet", {}, away(term("noise", { namespaceSelector: { matchLabels: { loud: "yes" } } }))),
      ),
      zone("b", "2"),
    ],
    draft: { namespaces: { other: { loud: "yes" } } },
    goes: "b",
  },
];
for (const { says, pod, nodes = zones(), draft, goes } of cases)
  test(says, () => {
    assert.equal(placed(pod, nodes, draft), goes);
  });
