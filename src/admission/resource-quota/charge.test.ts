import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { cluster, pod, refused, resource } from "../plugins.suite.ts";
import { textsOf } from "./amounts.ts";
import { type Charge, charge } from "./charge.ts";
import { evaluatorFor } from "./evaluators.ts";
import { quotaStatus } from "./quota-usage.ts";

const nowMs = Date.UTC(2026, 0, 1);
const pods = evaluatorFor({ group: "", resource: "pods" })!;

const quota = (
  hard: Record<string, string>,
  used: Record<string, string>,
  spec: Partial<corev1.ResourceQuotaSpec> = {},
): corev1.ResourceQuota => ({
  apiVersion: "v1",
  kind: "ResourceQuota",
  metadata: { name: "q", namespace: "default", uid: "q" },
  spec: { hard, ...spec },
  status: { hard, used },
});
const asking = (requests: object, limits: object = {}, spec: object = {}) =>
  pod({ containers: [{ name: "c", image: "i", resources: { requests, limits } }], ...spec });

const charged = (
  from: corev1.ResourceQuota,
  object: ReturnType<typeof pod>,
  old?: ReturnType<typeof pod>,
): Charge => charge(from, { evaluator: pods, object, ...(old && { old }), isStatus: false }, nowMs);

const cases: [string, Charge, Charge][] = [
  [
    "a pod takes what it requests and limits, once by each name",
    charged(
      quota(
        { cpu: "2", "requests.memory": "2Gi", "limits.cpu": "4", pods: "5", "count/pods": "9" },
        { cpu: "500m", "requests.memory": "0", "limits.cpu": "0", pods: "1", "count/pods": "1" },
      ),
      asking({ cpu: "500m", memory: "1Gi" }, { cpu: "1" }),
    ),
    {
      is: "charged",
      used: { cpu: "1", "requests.memory": "1Gi", "limits.cpu": "1", pods: "2", "count/pods": "2" },
    },
  ],
  [
    "too much is refused with what is asked, used and allowed",
    charged(quota({ cpu: "1", pods: "5" }, { cpu: "800m", pods: "2" }), asking({ cpu: "300m" })),
    { is: "refused", why: "exceeded quota: q, requested: cpu=300m, used: cpu=800m, limited: cpu=1" },
  ],
  [
    "devices and huge pages count by their requests",
    charged(
      quota(
        { "requests.example.com/gpu": "3", "requests.hugepages-2Mi": "4Mi" },
        { "requests.example.com/gpu": "1", "requests.hugepages-2Mi": "0" },
      ),
      asking({ "example.com/gpu": "2", "hugepages-2Mi": "2Mi" }),
    ),
    { is: "charged", used: { "requests.example.com/gpu": "3", "requests.hugepages-2Mi": "2Mi" } },
  ],
  [
    "where processor or memory is limited, each container has to say what it takes",
    charged(
      quota({ "limits.cpu": "1", cpu: "1" }, { "limits.cpu": "0", cpu: "0" }),
      pod({
        containers: [
          { name: "b", image: "i" },
          { name: "a", image: "i", resources: { requests: { cpu: "1" } } },
        ],
      }),
    ),
    { is: "refused", why: "failed quota: q: must specify cpu for: b; limits.cpu for: a,b" },
  ],
  [
    "unless the pod says it for all",
    charged(quota({ cpu: "1" }, { cpu: "0" }), pod({ resources: { requests: { cpu: "1" } } })),
    { is: "charged", used: { cpu: "1" } },
  ],
  [
    "before it is known what is used, nothing is let in",
    charged({ ...quota({ pods: "1" }, {}), status: { hard: { pods: "1" } } }, pod()),
    { is: "refused", why: "status unknown for quota: q, resources: pods" },
  ],
  [
    "a quota that nobody has counted yet limits nothing",
    charged({ ...quota({ pods: "0" }, {}), status: {} }, pod()),
    { is: "free" },
  ],
  [
    "an update takes what is more than before",
    charged(quota({ cpu: "2" }, { cpu: "1" }), asking({ cpu: "1500m" }), asking({ cpu: "1" })),
    { is: "charged", used: { cpu: "1500m" } },
  ],
  [
    "one that moves into a quota's scope takes all",
    charged(
      quota({ pods: "1" }, { pods: "0" }, { scopes: ["Terminating"] }),
      pod({ activeDeadlineSeconds: 5 }),
      pod(),
    ),
    { is: "charged", used: { pods: "1" } },
  ],
  [
    "a pod that has ended is still an object",
    charged(quota({ pods: "9", "count/pods": "9" }, { pods: "1", "count/pods": "1" }), {
      ...pod(),
      status: { phase: "Failed" },
    }),
    { is: "charged", used: { pods: "1", "count/pods": "2" } },
  ],
];
for (const [says, outcome, expected] of cases)
  test(says, () => {
    assert.deepEqual(outcome, expected);
  });

const selector = (
  scopeName: string,
  operator: string,
  values?: string[],
): Partial<corev1.ResourceQuotaSpec> => ({
  scopeSelector: {
    matchExpressions: [
      { scopeName, operator, ...(values && { values }) } as corev1.ScopedResourceSelectorRequirement,
    ],
  },
});
const term = { topologyKey: "zone", namespaces: ["other"] };
const scopes: [Partial<corev1.ResourceQuotaSpec>, object, boolean][] = [
  [{ scopes: ["Terminating"] }, { activeDeadlineSeconds: 5 }, true],
  [{ scopes: ["Terminating"] }, {}, false],
  [{ scopes: ["NotTerminating"] }, {}, true],
  [{ scopes: ["BestEffort"] }, {}, true],
  [{ scopes: ["NotBestEffort"] }, {}, false],
  [{ scopes: ["NotBestEffort", "NotTerminating"] }, {}, false],
  [selector("PriorityClass", "Exists"), {}, false],
  [selector("PriorityClass", "Exists"), { priorityClassName: "high" }, true],
  [selector("PriorityClass", "In", ["high"]), { priorityClassName: "high" }, true],
  [selector("PriorityClass", "In", ["high"]), { priorityClassName: "low" }, false],
  [selector("PriorityClass", "NotIn", ["high"]), { priorityClassName: "low" }, true],
  [selector("PriorityClass", "DoesNotExist"), { priorityClassName: "low" }, false],
  [selector("CrossNamespacePodAffinity", "Exists"), {}, false],
  [
    selector("CrossNamespacePodAffinity", "Exists"),
    { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } },
    true,
  ],
];
for (const [spec, ofPod, isCounted] of scopes)
  test(`the scope ${JSON.stringify(spec)} ${isCounted ? "counts" : "leaves out"} ${JSON.stringify(ofPod)}`, () => {
    const outcome = charged(quota({ pods: "5" }, { pods: "0" }, spec), pod(ofPod));
    assert.equal(outcome.is, isCounted ? "charged" : "free");
  });

test("claims count by number and size, also for their class", () => {
  const evaluator = evaluatorFor({ group: "", resource: "persistentvolumeclaims" })!;
  const claim = {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "data" },
    spec: { storageClassName: "fast", resources: { requests: { storage: "2Gi" } } },
    status: { allocatedResources: { storage: "3Gi" } },
  };
  assert.deepEqual(textsOf(evaluator.usage(claim, nowMs)), {
    "count/persistentvolumeclaims": "1",
    persistentvolumeclaims: "1",
    "requests.storage": "3Gi",
    "fast.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
    "fast.storageclass.storage.k8s.io/requests.storage": "3Gi",
  });
  assert.ok(evaluator.counts("fast.storageclass.storage.k8s.io/requests.storage"));
});

test("services count by their ports on nodes and their balancers, too", () => {
  const evaluator = evaluatorFor({ group: "", resource: "services" })!;
  const service = (spec: object) => textsOf(evaluator.usage({ metadata: {}, spec } as any, nowMs));
  const ports = [{ port: 1 }, { port: 2 }];
  assert.equal(service({ type: "NodePort", ports })["services.nodeports"], "2");
  assert.equal(service({ type: "LoadBalancer", ports })["services.loadbalancers"], "1");
  const without = { type: "LoadBalancer", ports, allocateLoadBalancerNodePorts: false };
  assert.equal(service(without)["services.nodeports"], "0");
});

test("everything else counts by number, some by an older name as well; events never", () => {
  const usage = (group: string, name: string) =>
    Object.keys(evaluatorFor({ group, resource: name })?.usage({} as any, nowMs) ?? {});
  assert.deepEqual(usage("", "secrets"), ["count/secrets", "secrets"]);
  assert.deepEqual(usage("apps", "deployments"), ["count/deployments.apps"]);
  assert.deepEqual(usage("", "events"), []);
});

test("a quota's status counts what is there, and says so once", () => {
  const fresh = { ...quota({ pods: "5", cpu: "2", gold: "1" }, {}), status: {} };
  const objects = [
    asking({ cpu: "500m" }),
    asking({ cpu: "1" }),
    { ...pod(), status: { phase: "Succeeded" } },
  ];
  const status = quotaStatus(fresh, [{ evaluator: pods, objects }], nowMs)!;
  assert.deepEqual(status, { hard: fresh.spec.hard, used: { pods: "2", cpu: "1500m" } });
  assert.equal(quotaStatus({ ...fresh, status }, [{ evaluator: pods, objects }], nowMs), undefined);
});

test("a pod that should be gone is charged to nobody", () => {
  const stuck = pod({}, { deletionTimestamp: "2025-12-31T23:00:00Z", deletionGracePeriodSeconds: 30 });
  assert.deepEqual(textsOf(pods.usage(stuck, nowMs)), { "count/pods": "1" });
});

test("what is let in is charged to all quotas it is about, and tried again when one has changed meanwhile", async () => {
  const { admit, state } = cluster();
  const named = (name: string, hard: Record<string, string>, used: Record<string, string>) => ({
    ...quota(hard, used),
    metadata: { name, namespace: "default", uid: name },
  });
  state.quotas = [named("a", { pods: "5" }, { pods: "1" }), named("b", { pods: "2" }, { pods: "0" })];
  const write = state.writeQuota;
  let races = 0;
  state.writeQuota = async (next) => {
    if (next.metadata.name === "b" && races++ === 0) {
      // Another pod was quicker.
      await write(named("b", { pods: "2" }, { pods: "1" }) as corev1.ResourceQuota);
      const { conflict } = await import("../../machinery/index.ts");
      throw conflict({ group: "", resource: "resourcequotas" }, "b", "it has changed");
    }
    return write(next);
  };
  await admit({ object: pod() });
  const used = () => (state.quotas as corev1.ResourceQuota[]).map(({ status }) => status!.used!.pods);
  assert.deepEqual(used(), ["2", "2"]);
  await refused(
    admit({ object: pod() }),
    403,
    /^pods "p" is forbidden: exceeded quota: b, requested: pods=1, used: pods=2, limited: pods=2$/,
  );
  assert.deepEqual(used(), ["2", "2"], "what is refused by one is charged to none");
  await admit({
    ...resource("configmaps"),
    object: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" } },
  });
});

test("a dry run is refused as well, and charged to nobody", async () => {
  const { admit, state } = cluster();
  state.quotas = [quota({ pods: "1" }, { pods: "0" })];
  await admit({ object: pod(), dryRun: true });
  assert.equal((state.quotas[0] as corev1.ResourceQuota).status!.used!.pods, "0");
});
