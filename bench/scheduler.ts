import type { corev1 } from "../src/api/index.ts";
import { selectorOfLabels } from "../src/machinery/index.ts";
import type { ClusterView } from "../src/scheduler/cluster-view.ts";
import { addPod, type NodeInfo, newNodeInfo, scheduledPodOf } from "../src/scheduler/node-info.ts";
import { planPreemption } from "../src/scheduler/preemption/plan-preemption.ts";
import { schedule, startCycle } from "../src/scheduler/schedule.ts";

/*
 * How many decisions a second the scheduler makes, by what pods ask for: on 1,000 nodes with 30 pods each, the decision
 * alone. `node --import tsx bench/scheduler.ts`
 */

const nodeCount = 1_000;
const podsOnNode = 30;
const zones = 10;
const measuredS = 2;

const labels = { app: "web" };
const term = { labelSelector: { matchLabels: labels }, topologyKey: "zone" };

function node(i: number): NodeInfo {
  const name = `node-${i}`;
  const info = newNodeInfo({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name, zone: `zone-${i % zones}` } },
    spec: {},
    status: { allocatable: { cpu: "32", memory: "128Gi", pods: "110" } },
  } as corev1.Node);
  for (let p = 0; p < podsOnNode; p++)
    addPod(info, scheduledPodOf(pod(`${name}-${p}`, {}, { app: `other-${p}` })));
  return info;
}

function pod(name: string, spec: object, podLabels: Record<string, string> = labels): corev1.Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", labels: podLabels },
    spec: {
      containers: [
        { name: "c", image: "busybox", resources: { requests: { cpu: "100m", memory: "128Mi" } } },
      ],
      ...spec,
    },
  } as corev1.Pod;
}

const rows: Record<string, object> = {
  "requests only": {},
  "required anti-affinity by zone": {
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [{ ...term, topologyKey: "kubernetes.io/hostname" }],
      },
    },
  },
  "preferred affinity by zone": {
    affinity: {
      podAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 5, podAffinityTerm: term }],
      },
    },
  },
  "spread over zones, required": {
    topologySpreadConstraints: [{ maxSkew: 1, whenUnsatisfiable: "DoNotSchedule", ...term }],
  },
  "spread over nodes, preferred": {
    topologySpreadConstraints: [
      { maxSkew: 1, whenUnsatisfiable: "ScheduleAnyway", ...term, topologyKey: "kubernetes.io/hostname" },
    ],
  },
};

function viewOf(nodes: readonly NodeInfo[]): ClusterView {
  const selector = selectorOfLabels(labels);
  return {
    ...({} as ClusterView),
    nodes,
    namespaceLabels: () => ({}),
    nominatedOn: () => [],
    budgets: () => [],
    equalsOf: () => selector,
  };
}

/** By the time on the processor, which other work on the machine does not change. */
function perSecond(work: (i: number) => void): number {
  const start = process.cpuUsage();
  const spentS = () => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1e6;
  };
  let done = 0;
  while (spentS() < measuredS) work(done++);
  return done / spentS();
}

const told = (what: string, count: number) =>
  console.log(`${what.padEnd(36)} ${count.toFixed(0)} pods/s of processor`);

for (const [what, spec] of Object.entries(rows)) {
  const nodes = Array.from({ length: nodeCount }, (_, i) => node(i));
  const byName = new Map(nodes.map((info) => [info.node.metadata.name!, info]));
  const view = viewOf(nodes);
  told(
    what,
    perSecond((i) => {
      const next = pod(`p-${i}`, spec);
      const placement = schedule(startCycle(next, view));
      if ("node" in placement) addPod(byName.get(placement.node)!, scheduledPodOf(next));
    }),
  );
}

const full = Array.from({ length: nodeCount }, (_, i) => node(i));
const huge = {
  priority: 100,
  containers: [{ name: "c", image: "i", resources: { requests: { cpu: "30" } } }],
};
told(
  "preemption where nothing fits",
  perSecond((i) => {
    const cycle = startCycle(pod(`p-${i}`, huge), viewOf(full));
    const placement = schedule(cycle);
    if ("refusals" in placement) planPreemption(cycle, placement.refusals);
  }),
);
