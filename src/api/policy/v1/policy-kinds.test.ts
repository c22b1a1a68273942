import assert from "node:assert/strict";
import { test } from "node:test";
import { decoded, errorsOf, kindNamed, updateErrorsOf } from "../../kind.suite.ts";

/** Cells by column name, but for the age. */
function cells(kind: string, content: object): Record<string, unknown> {
  const shown = kindNamed(kind).columns.filter(({ name }) => name !== "Age");
  return Object.fromEntries(shown.map(({ name, value }) => [name, value(decoded(kind, content), 0)]));
}

const refusals: [string, string, object, string[]][] = [
  [
    "a user's priority is at most a billion",
    "PriorityClass",
    { value: 1_000_000_001 },
    ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
  ],
  [
    "names of the system's classes are reserved",
    "PriorityClass",
    { metadata: { name: "system-mine" }, value: 1 },
    [
      "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-mine is not a known system priority class",
    ],
  ],
  [
    "a class of the system has its own value",
    "PriorityClass",
    { metadata: { name: "system-node-critical" }, value: 1 },
    [
      "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: value of system-node-critical PriorityClass must be 2000001000",
    ],
  ],
  [
    "a preemption policy is known",
    "PriorityClass",
    { value: 1, preemptionPolicy: "Sometimes" },
    [`preemptionPolicy: Unsupported value: "Sometimes": supported values: "PreemptLowerPriority", "Never"`],
  ],
  [
    "a type of limits is known, and there once",
    "LimitRange",
    { spec: { limits: [{ type: "Thing" }, { type: "Pod" }, { type: "Pod" }] } },
    [
      `spec.limits[0].type: Invalid value: "Thing": must be a standard limit type or fully qualified`,
      `spec.limits[2].type: Duplicate value: "Pod"`,
    ],
  ],
  [
    "pods have no default limits",
    "LimitRange",
    { spec: { limits: [{ type: "Pod", default: { cpu: "1" } }] } },
    ["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"],
  ],
  [
    "a minimum is not above its maximum",
    "LimitRange",
    { spec: { limits: [{ type: "Pod", min: { cpu: "2" }, max: { cpu: "1" } }] } },
    [`spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1`],
  ],
  [
    "a default is not above the maximum",
    "LimitRange",
    {
      spec: {
        limits: [
          { type: "Container", default: { cpu: "2" }, defaultRequest: { cpu: "1" }, max: { cpu: "1" } },
        ],
      },
    },
    [`spec.limits[0].default[cpu]: Invalid value: "1": default value 2 is greater than max value 1`],
  ],
  [
    "a ratio is one at least, and can be kept",
    "LimitRange",
    {
      spec: {
        limits: [
          {
            type: "Pod",
            min: { cpu: "1" },
            max: { cpu: "2" },
            maxLimitRequestRatio: { cpu: "3", memory: "500m" },
          },
        ],
      },
    },
    [
      `spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000`,
      `spec.limits[0].maxLimitRequestRatio[memory]: Invalid value: "500m": ratio 500m is less than 1`,
    ],
  ],
  [
    "limits of claims are about storage",
    "LimitRange",
    { spec: { limits: [{ type: "PersistentVolumeClaim" }] } },
    [
      "spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was provided",
    ],
  ],
  [
    "a quota is of something known, whole where it is counted, and not negative",
    "ResourceQuota",
    { spec: { hard: { gold: "1", pods: "1500m", cpu: "-1" } } },
    [
      `spec.hard[gold]: Invalid value: "gold": must be a standard resource type or fully qualified`,
      `spec.hard[gold]: Invalid value: "gold": must be a standard resource for quota`,
      `spec.hard[pods]: Invalid value: "1500m": must be an integer`,
      `spec.hard[cpu]: Invalid value: "-1": must be greater than or equal to 0`,
    ],
  ],
  [
    "objects of any kind can be counted",
    "ResourceQuota",
    { spec: { hard: { "count/deployments.apps": "1" } } },
    [],
  ],
  [
    "scopes fit to what is counted, and to each other",
    "ResourceQuota",
    { spec: { hard: { cpu: "1" }, scopes: ["BestEffort", "NotBestEffort"] } },
    [
      `spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: unsupported scope applied to resource`,
      `spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes`,
    ],
  ],
  [
    "only classes are selected by name",
    "ResourceQuota",
    {
      spec: {
        hard: { pods: "1" },
        scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator: "In" }] },
      },
    },
    [
      "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
    ],
  ],
  [
    "a budget says what must stay or what may go, not both",
    "PodDisruptionBudget",
    { spec: { minAvailable: 1, maxUnavailable: "120%" } },
    [
      `spec: Invalid value: {"minAvailable":1,"maxUnavailable":"120%"}: minAvailable and maxUnavailable cannot be both set`,
      `spec.maxUnavailable: Invalid value: "120%": must not be greater than 100%`,
    ],
  ],
];
for (const [says, kind, content, errors] of refusals)
  test(says, () => assert.deepEqual(errorsOf(kind, content), errors));

test("a class's value and policy are for good", () => {
  assert.deepEqual(updateErrorsOf("PriorityClass", { value: 1 }, { value: 2, preemptionPolicy: "Never" }), [
    "value: Forbidden: may not be changed in an update.",
    `preemptionPolicy: Invalid value: "Never": field is immutable`,
  ]);
  assert.deepEqual(updateErrorsOf("PriorityClass", { value: 1 }, { value: 1, description: "mine" }), []);
});

test("a quota's scopes are for good", () => {
  const quota = (scopes: string[]) => ({ spec: { hard: { pods: "1" }, scopes } });
  assert.deepEqual(updateErrorsOf("ResourceQuota", quota(["BestEffort"]), quota(["Terminating"])), [
    `spec.scopes: Invalid value: ["Terminating"]: field is immutable`,
  ]);
});

test("a maximum is the default limit too, and a default limit or minimum the default request", () => {
  const { spec } = decoded<any>("LimitRange", {
    spec: {
      limits: [{ type: "Container", max: { cpu: "2" }, min: { memory: "1Mi" }, default: { memory: "4Mi" } }],
    },
  });
  assert.deepEqual(spec.limits[0], {
    type: "Container",
    max: { cpu: "2" },
    min: { memory: "1Mi" },
    default: { cpu: "2", memory: "4Mi" },
    defaultRequest: { cpu: "2", memory: "4Mi" },
  });
});

test("tables show what is allowed and used", () => {
  assert.deepEqual(cells("PriorityClass", { value: 5 }), {
    Name: "x",
    Value: 5,
    "Global-Default": false,
    PreemptionPolicy: "PreemptLowerPriority",
  });
  const budget = { spec: { minAvailable: "50%" }, status: { disruptionsAllowed: 2 } };
  assert.deepEqual(cells("PodDisruptionBudget", budget), {
    Name: "x",
    "Min Available": "50%",
    "Max Unavailable": "N/A",
    "Allowed Disruptions": 2,
  });
  const quota = { status: { hard: { pods: "5", cpu: "2", "limits.cpu": "4" }, used: { cpu: "500m" } } };
  assert.deepEqual(cells("ResourceQuota", quota), {
    Name: "x",
    Request: "cpu: 500m/2, pods: 0/5",
    Limit: "limits.cpu: 0/4",
  });
});
