import type { Descriptions } from "./describe.ts";

export const coreDescriptions: Descriptions = {
  "core/v1.Namespace": `
    A part of the cluster with names of its own. Deleting it deletes everything in it.
    spec: What is wanted.
    status: Whether it is in use or being deleted.
  `,
  "core/v1.NamespaceSpec": `
    What a Namespace should be.
    finalizers: Who must clear up before the namespace may go; kubernetes stands for its contents.
  `,
  "core/v1.NamespaceStatus": `
    The state of a Namespace.
    phase: Active or Terminating.
    conditions: What still holds up its deletion.
  `,
  "core/v1.NamespaceCondition": `
    One aspect of a Namespace's deletion.
    type: Such as NamespaceContentRemaining.
    status: True, False or Unknown.
    lastTransitionTime: When the status last changed.
    reason: Why, in one word for programs.
    message: Why, for a person.
  `,
  "core/v1.ConfigMap": `
    Configuration that containers get as files or environment variables. Not for secrets.
    data: Texts by key.
    binaryData: Bytes by key, in base64; a key may stand only here or in data.
    immutable: Once set, the contents can no longer change.
  `,
  "core/v1.Secret": `
    Confidential data that containers get as files or environment variables.
    data: Bytes by key, in base64.
    stringData: Texts by key, for writing: they are moved to data, and never shown.
    type: What the data is for; some types must have certain keys. Opaque if not given.
    immutable: Once set, the contents can no longer change.
  `,
  "core/v1.ServiceAccount": `
    Who a pod's processes are towards the API.
    secrets: Secrets that pods of this account may use, where that is enforced.
    imagePullSecrets: Used for the images of pods of this account that name none themselves.
    automountServiceAccountToken: Whether its pods find a token at the usual path; a pod may say otherwise.
  `,
  "core/v1.Event": `
    Something that happened to an object, told for people. Kept for about an hour.
    involvedObject: What it happened to.
    reason: What happened, in one word.
    message: What happened, for a person.
    source: Who reports it (older form).
    firstTimestamp: When it was first seen.
    lastTimestamp: When it was last seen.
    count: How often it was seen.
    type: Normal or Warning.
    eventTime: When it was first seen, to the microsecond (newer form).
    series: How it goes on, when it happens again and again (newer form).
    action: What was done or failed (newer form).
    related: Another object that plays a part.
    reportingComponent: Who reports it (newer form), such as kubelet.
    reportingInstance: Which one of them, such as a node's name.
  `,
  "core/v1.EventSource": `
    Who reported an event.
    component: The component, such as kubelet.
    host: The node it runs on.
  `,
  "core/v1.EventSeries": `
    An event that goes on.
    count: How often it has been seen.
    lastObservedTime: When it was last seen.
  `,
  "core/v1.ObjectReference": `
    Points at an object, or at a part of one.
    kind: The object's kind.
    namespace: The object's namespace.
    name: The object's name.
    uid: The object's uid.
    apiVersion: The object's group and version.
    resourceVersion: The revision that is meant.
    fieldPath: The part that is meant, such as spec.containers{nginx}.
  `,
  "core/v1.LocalObjectReference": `
    Points at an object of the same namespace.
    name: The object's name.
  `,
  "core/v1.Binding": `
    Puts a pod on a node.
    target: The node.
  `,
  "policy/v1.Eviction": `
    Asks for a pod to be deleted, if its disruption budget allows that.
    deleteOptions: How the pod is deleted.
  `,
  "autoscaling/v1.Scale": `
    How many replicas something has.
    spec: How many are wanted.
    status: How many there are.
  `,
  "autoscaling/v1.ScaleSpec": `
    How many replicas are wanted.
    replicas: The number.
  `,
  "autoscaling/v1.ScaleStatus": `
    How many replicas there are.
    replicas: The number.
    selector: Which pods are counted, as a label selector's text.
  `,
  "core/v1.PodTemplate": `
    A template of pods that stands by itself. Nothing makes pods of it.
    template: What pods made from it would be.
  `,
  "core/v1.ReplicationController": `
    Keeps a number of equal pods running. ReplicaSets, and Deployments that make them, have taken its place.
    spec: What is wanted.
    status: What has been reached.
  `,
  "core/v1.ReplicationControllerSpec": `
    What a ReplicationController should be.
    replicas: How many pods; 1 if not given.
    minReadySeconds: How long a new pod must be ready before it counts as available.
    selector: The labels of the pods that belong to it; the template's if not given.
    template: What each pod is made from.
  `,
  "core/v1.ReplicationControllerStatus": `
    What a ReplicationController has reached.
    replicas: How many pods there are that are not ending.
    fullyLabeledReplicas: How many have all the template's labels.
    readyReplicas: How many are ready.
    availableReplicas: How many have been ready for minReadySeconds.
    observedGeneration: The generation of the spec that this is about.
    conditions: What else is to be said of it.
  `,
  "core/v1.ReplicationControllerCondition": `
    One aspect of a ReplicationController's state.
    type: Such as ReplicaFailure.
    status: True, False or Unknown.
    lastTransitionTime: When the status last changed.
    reason: Why, in one word for programs.
    message: Why, for a person.
  `,
};
