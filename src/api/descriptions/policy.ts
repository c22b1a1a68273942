import type { Descriptions } from "./describe.ts";

/** What limits pods: in number, in size, and in how many may be missing. */
export const policyDescriptions: Descriptions = {
  "policy/v1.PodDisruptionBudget": `
    How many pods of an application may be missing at a time because somebody evicts them.
    spec: Which pods, and how many.
    status: How many there are. Written by the system.
  `,
  "policy/v1.PodDisruptionBudgetSpec": `
    Which pods, and how many of them must stay.
    minAvailable: So many, or so many percent, must be there after an eviction. Not together with maxUnavailable.
    maxUnavailable: So many, or so many percent, may be missing after an eviction. Not together with minAvailable.
    selector: Which pods; an empty one selects all of the namespace.
    unhealthyPodEvictionPolicy: Whether pods that are not ready may be evicted: IfHealthyBudget (the default) or AlwaysAllow.
  `,
  "policy/v1.PodDisruptionBudgetStatus": `
    How a budget stands.
    observedGeneration: The generation of the budget that this is about.
    disruptedPods: Pods whose eviction is allowed, and which are still there.
    disruptionsAllowed: How many pods may be evicted now.
    currentHealthy: How many pods are ready.
    desiredHealthy: How many must be.
    expectedPods: How many there should be.
    conditions: DisruptionAllowed, with its reason.
  `,
  "scheduling/v1.PriorityClass": `
    How important pods are that name it.
    value: The priority; the higher, the more important.
    globalDefault: Pods that name no class are of this one.
    description: When to use it.
    preemptionPolicy: PreemptLowerPriority (pods of lower priority make room) or Never.
  `,
  "core/v1.LimitRange": `
    How small and how large single pods, containers and claims of a namespace may be.
    spec: The limits.
  `,
  "core/v1.LimitRangeSpec": `
    Limits, one item a type of object.
    limits: The items.
  `,
  "core/v1.LimitRangeItem": `
    The limits of a type of object.
    type: Pod, Container or PersistentVolumeClaim.
    max: The most it may ask for, by resource.
    min: The least it must ask for, by resource.
    default: The limit of containers that name none.
    defaultRequest: The request of containers that name none.
    maxLimitRequestRatio: How often its request fits into its limit at most.
  `,
  "core/v1.ResourceQuota": `
    How much all objects of a namespace may have together.
    spec: How much of what.
    status: What is used. Written by the system.
  `,
  "core/v1.ResourceQuotaSpec": `
    How much of what there may be.
    hard: Amounts by resource: cpu, requests.memory, pods, count/deployments.apps and others.
    scopes: Only objects to which all of these apply are counted.
    scopeSelector: The same, with values.
  `,
  "core/v1.ResourceQuotaStatus": `
    What is used of a quota.
    hard: How much there may be.
    used: How much there is.
  `,
  "core/v1.ScopeSelector": `
    Which objects a quota counts.
    matchExpressions: Conditions, all of which must hold.
  `,
  "core/v1.ScopedResourceSelectorRequirement": `
    A condition on a scope.
    scopeName: The scope: Terminating, NotTerminating, BestEffort, NotBestEffort, PriorityClass and others.
    operator: In, NotIn, Exists or DoesNotExist.
    values: With In and NotIn: the names of classes.
  `,
};
