import { InvariantError } from "../../base/index.ts";
import type { Field, ListSemantics, ObjectSchema, Schema, SchemaRegistry } from "../schema.ts";

/*
 * A few types with every kind of merge there is, named as the real ones; for the tests of patch and apply, which stand below the
 * room that holds the real ones.
 */

const scalar = (type: "string" | "int32" | "boolean" | "quantity" | "time"): Schema => ({ type });
const ref = (name: string): Schema => ({ type: "ref", name });
const list = (items: Schema, semantics?: ListSemantics): Schema => ({ type: "list", items, list: semantics });
const map = (values: Schema, atomic?: true): Schema => ({ type: "map", values, atomic });
const mapList = (name: string, ...keys: string[]) =>
  list(ref(name), { type: "map", keys, merge: true, mergeKey: keys[0]! });

const text = scalar("string");
const number = scalar("int32");

function object(
  name: string,
  fields: Record<string, Schema | Omit<Field, "name">>,
  more?: Partial<ObjectSchema>,
): ObjectSchema {
  const all = Object.entries(fields).map(([key, field]): [string, Field] => [
    key,
    "schema" in field ? { ...field, name: key } : { name: key, schema: field },
  ]);
  return { type: "object", name, fields: new Map(all), ...more };
}

const embedded = (name: string) => ({ schema: ref(name), default: {} });

const types: ObjectSchema[] = [
  object("meta/v1.ObjectMeta", {
    name: text,
    namespace: text,
    uid: text,
    resourceVersion: text,
    generation: number,
    creationTimestamp: scalar("time"),
    labels: map(text),
    annotations: map(text),
    finalizers: list(text, { type: "set", merge: true }),
    ownerReferences: list(ref("meta/v1.OwnerReference"), {
      type: "map",
      keys: ["uid"],
      merge: true,
      mergeKey: "uid",
    }),
    managedFields: list({ type: "any" }, { type: "atomic" }),
  }),
  object("meta/v1.OwnerReference", { uid: text, name: text, kind: text }, { atomic: true }),
  object("meta/v1.LabelSelector", { matchLabels: map(text) }, { atomic: true }),
  object("core/v1.Pod", {
    apiVersion: text,
    kind: text,
    metadata: embedded("meta/v1.ObjectMeta"),
    spec: embedded("core/v1.PodSpec"),
    status: embedded("core/v1.PodStatus"),
  }),
  object("core/v1.PodSpec", {
    containers: { schema: mapList("core/v1.Container", "name"), required: true },
    volumes: list(ref("core/v1.Volume"), {
      type: "map",
      keys: ["name"],
      merge: true,
      mergeKey: "name",
      retainKeys: true,
    }),
    restartPolicy: text,
    nodeName: text,
    dnsPolicy: text,
    schedulerName: text,
    serviceAccount: text,
    serviceAccountName: text,
    enableServiceLinks: scalar("boolean"),
    priority: number,
    preemptionPolicy: text,
    terminationGracePeriodSeconds: number,
    nodeSelector: map(text, true),
    securityContext: object("core/v1.PodSecurityContext", { runAsUser: number }),
    tolerations: list(ref("core/v1.Toleration"), { type: "atomic" }),
  }),
  object("core/v1.PodStatus", {
    phase: text,
    conditions: mapList("core/v1.PodCondition", "type"),
    podIP: text,
  }),
  object("core/v1.PodCondition", { type: text, status: text, reason: text }),
  object("core/v1.Toleration", { key: text, operator: text, effect: text, tolerationSeconds: number }),
  object("core/v1.Volume", {
    name: text,
    emptyDir: object("core/v1.EmptyDirVolumeSource", { medium: text }),
    hostPath: object("core/v1.HostPathVolumeSource", { path: text }),
    projected: object("core/v1.ProjectedVolumeSource", {
      sources: list({ type: "any" }, { type: "atomic" }),
      defaultMode: number,
    }),
  }),
  object("core/v1.Container", {
    name: text,
    image: text,
    imagePullPolicy: text,
    terminationMessagePath: text,
    terminationMessagePolicy: text,
    command: list(text, { type: "atomic" }),
    args: list(text),
    env: mapList("core/v1.EnvVar", "name"),
    ports: list(ref("core/v1.ContainerPort"), {
      type: "map",
      keys: ["containerPort", "protocol"],
      merge: true,
      mergeKey: "containerPort",
    }),
    volumeMounts: mapList("core/v1.VolumeMount", "mountPath"),
    resources: embedded("core/v1.ResourceRequirements"),
  }),
  object("core/v1.VolumeMount", { name: text, mountPath: text, readOnly: scalar("boolean") }),
  object("core/v1.ResourceRequirements", {
    limits: map(scalar("quantity")),
    requests: map(scalar("quantity")),
  }),
  object("core/v1.EnvVar", { name: text, value: text }),
  object("core/v1.ContainerPort", {
    name: text,
    containerPort: number,
    protocol: { schema: text, default: "TCP" },
  }),
  object("core/v1.PodTemplateSpec", {
    metadata: embedded("meta/v1.ObjectMeta"),
    spec: embedded("core/v1.PodSpec"),
  }),
  object("apps/v1.Deployment", {
    apiVersion: text,
    kind: text,
    metadata: embedded("meta/v1.ObjectMeta"),
    spec: embedded("apps/v1.DeploymentSpec"),
    status: { schema: object("apps/v1.DeploymentStatus", { replicas: number }), default: {} },
  }),
  object("apps/v1.DeploymentSpec", {
    replicas: number,
    selector: ref("meta/v1.LabelSelector"),
    strategy: { schema: ref("apps/v1.DeploymentStrategy"), retainKeys: true, default: {} },
    template: { schema: ref("core/v1.PodTemplateSpec"), required: true, default: {} },
  }),
  object("apps/v1.DeploymentStrategy", {
    type: text,
    rollingUpdate: object("apps/v1.RollingUpdateDeployment", {
      maxSurge: { type: "intOrString" },
      maxUnavailable: { type: "intOrString" },
    }),
  }),
  object("core/v1.ConfigMap", {
    apiVersion: text,
    kind: text,
    metadata: embedded("meta/v1.ObjectMeta"),
    data: map(text),
  }),
];

const byName = new Map(types.map((type) => [type.name, type]));

export const sampleRegistry: SchemaRegistry = {
  type(name) {
    const type = byName.get(name);
    if (!type) throw new InvariantError(`no type ${name}`);
    return type;
  },
  kind: () => undefined,
  names: () => byName.keys(),
};
