import {
  badRequest,
  conflict,
  fieldInvalid,
  fieldRequired,
  formatTime,
  invalid,
  type KubeObject,
  type Status,
} from "../../machinery/index.ts";
import type { Call, Caller, Outcome, Serving } from "../context.ts";
import { thaw } from "../registry/json-value.ts";
import { decodeOther } from "../verbs/decode.ts";
import { updateObject } from "../verbs/update-object.ts";
import { namedBy, type Subresource } from "./subresource.ts";

const bindingType = { group: "", version: "v1", kind: "Binding" };

/** How a scheduler gives a pod to a node. Counterpart upstream: `pkg/registry/core/pod/storage.BindingREST`. */
export const binding: Subresource = {
  name: "binding",
  servedFor: namedBy("binding"),
  type: bindingType,
  verbs: { create: bind },
};

async function bind(serving: Serving, caller: Caller, call: Call): Promise<Outcome> {
  const given = decodeOther(serving, caller, call, bindingType);
  const { name: node, kind } = given.target ?? {};
  requireTarget(call, node, kind);
  if (given.metadata.name && given.metadata.name !== call.name) {
    throw badRequest(
      `the name of the object (${given.metadata.name}) does not match the name on the URL (${call.name})`,
    );
  }
  await updateObject(serving, caller, call, {
    make: (pod) => bound(call, pod!, given, node, formatTime(serving.clock.now())),
    part: "other",
    createIfAbsent: "never",
    fieldsOwned: "track",
  });
  const created: Status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
  return { is: "object", code: 201, object: created as KubeObject };
}

function requireTarget(call: Call, node: unknown, kind: unknown): void {
  const errors = [];
  if (kind && kind !== "Node") {
    errors.push({
      reason: "FieldValueNotSupported",
      message: `Unsupported value: ${JSON.stringify(kind)}: supported values: "Node", "<empty>"`,
      field: "target.kind",
    });
  }
  if (!node) errors.push(fieldRequired("target.name"));
  else if (typeof node !== "string") errors.push(fieldInvalid("target.name", node, "must be a string"));
  if (errors.length > 0) throw invalid({ group: "", kind: "Binding" }, call.name!, errors);
}

function bound(call: Call, pod: KubeObject, given: KubeObject, node: string, now: string): KubeObject {
  const refuse = (why: string) => conflict({ group: "", resource: "pods/binding" }, call.name!, why);
  const { uid, resourceVersion, annotations } = given.metadata;
  if (uid && uid !== pod.metadata.uid) {
    throw refuse(`Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`);
  }
  if (resourceVersion && resourceVersion !== pod.metadata.resourceVersion) {
    throw refuse(
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${pod.metadata.resourceVersion}`,
    );
  }
  if (pod.metadata.deletionTimestamp)
    throw refuse(`pod ${call.name} is being deleted, cannot be assigned to a host`);
  if (pod.spec.nodeName)
    throw refuse(`pod ${call.name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`);
  if (pod.spec.schedulingGates?.length > 0) {
    throw refuse(`pod ${call.name} has non-empty .spec.schedulingGates`);
  }
  const next = thaw(pod);
  next.spec.nodeName = node;
  if (annotations) next.metadata.annotations = { ...next.metadata.annotations, ...annotations };
  next.status ??= {};
  // It has its place, if not the one that was made for it.
  delete next.status.nominatedNodeName;
  const others = (next.status.conditions ?? []).filter((condition: any) => condition.type !== "PodScheduled");
  next.status.conditions = [
    ...others,
    { type: "PodScheduled", status: "True", lastProbeTime: null, lastTransitionTime: now },
  ];
  return next;
}
