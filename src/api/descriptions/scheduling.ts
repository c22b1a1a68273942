import type { Descriptions } from "./describe.ts";

const soon = "requiredDuringSchedulingIgnoredDuringExecution: What must hold for the pod to be placed.";
const better = "preferredDuringSchedulingIgnoredDuringExecution: What makes a node better, by weight.";

export const schedulingDescriptions: Descriptions = {
  "core/v1.Affinity": `
    Near or away from what a pod should run.
    nodeAffinity: Which nodes.
    podAffinity: Near which pods.
    podAntiAffinity: Away from which pods.
  `,
  "core/v1.NodeAffinity": `
    On which nodes a pod should run.
    ${soon}
    ${better}
  `,
  "core/v1.PodAffinity": `
    Near which pods a pod should run.
    ${soon}
    ${better}
  `,
  "core/v1.PodAntiAffinity": `
    Away from which pods a pod should run.
    ${soon}
    ${better}
  `,
  "core/v1.PodAffinityTerm": `
    Pods, and what being near them means.
    labelSelector: Which pods.
    namespaces: The namespaces they are in; the pod's own if none is given.
    namespaceSelector: Further namespaces, by their labels.
    topologyKey: Nodes with the same value of this label are near each other.
    matchLabelKeys: Only pods that have the same values of these labels as this one.
    mismatchLabelKeys: Only pods that have other values of these labels than this one.
  `,
  "core/v1.WeightedPodAffinityTerm": `
    Pods, and how much being near them counts.
    weight: From 1 to 100.
    podAffinityTerm: Which pods, and what near means.
  `,
  "core/v1.PreferredSchedulingTerm": `
    Nodes, and how much they are preferred.
    weight: From 1 to 100.
    preference: Which nodes.
  `,
  "core/v1.NodeSelector": `
    Selects nodes: those that any of the terms selects.
    nodeSelectorTerms: The terms; at least one.
  `,
  "core/v1.NodeSelectorTerm": `
    Nodes for which all of these hold.
    matchExpressions: Conditions on labels.
    matchFields: Conditions on fields; only metadata.name.
  `,
  "core/v1.NodeSelectorRequirement": `
    A condition on one label or field.
    key: The label or field.
    operator: In, NotIn, Exists, DoesNotExist, Gt or Lt.
    values: The values it is compared with.
  `,
  "core/v1.Toleration": `
    A taint that does not keep the pod away.
    key: The taint's key; with Exists and no key, every taint.
    operator: Equal (the default) or Exists (whatever its value).
    value: The taint's value, for Equal.
    effect: The taint's effect; every effect if not given.
    tolerationSeconds: How long the pod stays on a node with a NoExecute taint; for ever if not given.
  `,
  "core/v1.Taint": `
    Keeps pods away from a node that do not tolerate it.
    key: The taint's key.
    value: Its value.
    effect: NoSchedule (none is placed), PreferNoSchedule (rather not) or NoExecute (those there have to go).
    timeAdded: When it was added, for NoExecute.
  `,
  "core/v1.TopologySpreadConstraint": `
    How evenly pods are spread.
    maxSkew: How much the fullest part may have above the emptiest.
    topologyKey: Nodes with the same value of this label are one part.
    whenUnsatisfiable: DoNotSchedule, or ScheduleAnyway: rather not.
    labelSelector: Which pods are counted.
    minDomains: With fewer parts than this, the emptiest counts as empty.
    nodeAffinityPolicy: Whether nodes that the pod's own affinity rules out are left out: Honor or Ignore.
    nodeTaintsPolicy: Whether nodes with taints that the pod does not tolerate are left out: Honor or Ignore.
    matchLabelKeys: Only pods that have the same values of these labels as this one are counted.
  `,
};
