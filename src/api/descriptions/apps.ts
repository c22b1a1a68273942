import type { Descriptions } from "./describe.ts";

export const appsDescriptions: Descriptions = {
  "apps/v1.Deployment": `
    Keeps a number of equal pods running, and replaces them step by step when their template changes.
    spec: What is wanted.
    status: What has been reached.
  `,
  "apps/v1.DeploymentSpec": `
    What a Deployment should be.
    replicas: How many pods; 1 if not given.
    selector: Which pods belong to it. Must match the template's labels, and cannot be changed.
    template: What each pod is made from.
    strategy: How old pods are replaced by new ones.
    minReadySeconds: How long a new pod must be ready before it counts as available.
    revisionHistoryLimit: How many old ReplicaSets are kept for a rollback; 10 if not given.
    paused: Changes of the template start no rollout while this is set.
    progressDeadlineSeconds: After so long without progress, a rollout is reported as failed; 600 if not given.
  `,
  "apps/v1.DeploymentStrategy": `
    How old pods are replaced by new ones.
    type: RollingUpdate (a few at a time) or Recreate (all old ones go first).
    rollingUpdate: The pace, for RollingUpdate.
  `,
  "apps/v1.RollingUpdateDeployment": `
    The pace of a rolling update.
    maxUnavailable: How many pods may be missing meanwhile: a number, or a percentage of replicas. 25% if not given.
    maxSurge: How many pods there may be above replicas: a number or a percentage. 25% if not given.
  `,
  "apps/v1.DeploymentStatus": `
    What a Deployment has reached.
    observedGeneration: The generation of the spec that this is about.
    replicas: How many pods there are, old and new, that are not ending.
    updatedReplicas: How many have the present template.
    readyReplicas: How many are ready.
    availableReplicas: How many have been ready for minReadySeconds.
    unavailableReplicas: How many are still missing.
    terminatingReplicas: How many are ending.
    conditions: Available, Progressing, ReplicaFailure.
    collisionCount: How often the name of a new ReplicaSet was already taken.
  `,
  "apps/v1.DeploymentCondition": `
    One aspect of a Deployment's state.
    type: Available, Progressing or ReplicaFailure.
    status: True, False or Unknown.
    lastUpdateTime: When this was last said.
    lastTransitionTime: When the status last changed.
    reason: Why, in one word for programs.
    message: Why, for a person.
  `,
  "apps/v1.ReplicaSet": `
    Keeps a number of equal pods running. Usually made by a Deployment.
    spec: What is wanted.
    status: What has been reached.
  `,
  "apps/v1.ReplicaSetSpec": `
    What a ReplicaSet should be.
    replicas: How many pods; 1 if not given.
    minReadySeconds: How long a new pod must be ready before it counts as available.
    selector: Which pods belong to it. Must match the template's labels, and cannot be changed.
    template: What each pod is made from.
  `,
  "apps/v1.ReplicaSetStatus": `
    What a ReplicaSet has reached.
    replicas: How many pods there are that are not ending.
    fullyLabeledReplicas: How many have all the template's labels.
    readyReplicas: How many are ready.
    availableReplicas: How many have been ready for minReadySeconds.
    terminatingReplicas: How many are ending.
    observedGeneration: The generation of the spec that this is about.
    conditions: What else is to be said of it.
  `,
  "apps/v1.ReplicaSetCondition": `
    One aspect of a ReplicaSet's state.
    type: Such as ReplicaFailure.
    status: True, False or Unknown.
    lastTransitionTime: When the status last changed.
    reason: Why, in one word for programs.
    message: Why, for a person.
  `,
};
