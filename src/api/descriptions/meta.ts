import type { Descriptions } from "./describe.ts";

export const metaDescriptions: Descriptions = {
  "meta/v1.ObjectMeta": `
    What every object has: its name, its identity, its labels, its owners.
    name: The object's name; unique among objects of its kind in its namespace, and never changed.
    generateName: A beginning from which the server makes a unique name, when no name is given.
    namespace: The namespace the object is in; empty for kinds that belong to the whole cluster.
    selfLink: No longer used.
    uid: Tells this object from every other, past and future, even of the same name. Set by the server.
    resourceVersion: The revision of the last change. Sent back with an update, it makes the update fail if somebody else was faster.
    generation: Counts the changes to what is wanted (the spec). Set by the server.
    creationTimestamp: When the object was created. Set by the server.
    deletionTimestamp: When the object is to be gone; set once its deletion has been asked for.
    deletionGracePeriodSeconds: How many seconds the object was given to end.
    labels: Short texts by which objects are selected and grouped.
    annotations: Texts of any kind that tools keep with the object; nothing is selected by them.
    ownerReferences: Objects this one depends on; when the last of them is gone, so is this.
    finalizers: Who must do something before the object may go. It is removed when the list is empty.
    managedFields: Which field was set by whom; kept by the server for server-side apply.
  `,
  "meta/v1.OwnerReference": `
    An object that owns this one.
    apiVersion: The owner's group and version.
    kind: The owner's kind.
    name: The owner's name.
    uid: The owner's uid; another object of the same name is not the owner.
    controller: Whether the owner is the controller that manages this object; at most one is.
    blockOwnerDeletion: With foreground deletion, the owner stays until this object is gone.
  `,
  "meta/v1.ManagedFieldsEntry": `
    The fields that one manager set by one way of writing.
    manager: Who wrote.
    operation: How: Apply or Update.
    apiVersion: The version the fields are named in.
    time: When the entry was last changed.
    fieldsType: The form of the fields; always FieldsV1.
    fieldsV1: The fields, as a tree.
    subresource: The subresource that was written, if it was not the object itself.
  `,
  "meta/v1.LabelSelector": `
    Objects with certain labels. All conditions must hold; a selector without any selects everything.
    matchLabels: Labels an object must have, with these values.
    matchExpressions: Further conditions on labels.
  `,
  "meta/v1.LabelSelectorRequirement": `
    A condition on one label.
    key: The label.
    operator: In, NotIn, Exists or DoesNotExist.
    values: The values for In and NotIn.
  `,
  "meta/v1.ListMeta": `
    What a list says of itself.
    resourceVersion: The revision at which the list was read; a watch may begin there.
    continue: Where the next page begins; empty on the last.
    remainingItemCount: How many objects come after this page, where that is known.
    selfLink: No longer used.
  `,
  "meta/v1.Status": `
    The outcome of a request that gives no object.
    status: Success or Failure.
    message: What happened, for a person.
    reason: What happened, for a program.
    details: More about it, by the reason.
    code: The HTTP status.
  `,
  "meta/v1.StatusDetails": `
    What a Status is about.
    name: The object's name.
    group: The object's API group.
    kind: The object's kind or resource.
    uid: The object's uid.
    causes: Everything that is wrong, one by one.
    retryAfterSeconds: When to try again.
  `,
  "meta/v1.StatusCause": `
    One thing that is wrong.
    reason: What kind of error it is.
    message: The error, for a person.
    field: The field it is about, such as spec.containers[0].name.
  `,
  "meta/v1.DeleteOptions": `
    How an object is deleted.
    gracePeriodSeconds: How long it has to end; 0 means at once.
    preconditions: What must still be true of the object, else nothing is deleted.
    orphanDependents: Deprecated; use propagationPolicy.
    propagationPolicy: What becomes of objects it owns: Orphan (they stay), Background (they go afterwards), Foreground (they go first).
    dryRun: With All, everything is checked and nothing is deleted.
  `,
  "meta/v1.Preconditions": `
    What must be true of an object before it is changed.
    uid: It still has this uid.
    resourceVersion: It is still at this revision.
  `,
  "meta/v1.Condition": `
    One aspect of an object's state.
    type: Which aspect.
    status: True, False or Unknown.
    observedGeneration: The generation this was said of.
    lastTransitionTime: When the status last changed.
    reason: Why, in one word for programs.
    message: Why, for a person.
  `,
};
