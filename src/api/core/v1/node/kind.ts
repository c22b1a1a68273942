import { ageColumn, column, nameColumn, none, wideColumn } from "../../../columns.ts";
import type { corev1 } from "../../../index.ts";
import type { Kind } from "../../../kind.ts";
import { validateNode, validateNodeUpdate } from "./validation.ts";

type Columns = Kind<corev1.Node>["columns"];
const unknown = "<unknown>";

/** Counterpart upstream: `pkg/registry/core/node`. */
export const node: Kind<corev1.Node> = {
  group: "",
  version: "v1",
  kind: "Node",
  resource: "nodes",
  singular: "node",
  shortNames: ["no"],
  categories: [],
  scope: "Cluster",
  schema: "core/v1.Node",
  hasStatus: true,
  subresources: ["proxy"],
  columns: [
    nameColumn,
    column<corev1.Node>("Status", "string", "Whether pods run on it, and may be bound to it.", statusOf),
    column<corev1.Node>("Roles", "string", "From its labels.", (object) => rolesOf(object).join(",") || none),
    ageColumn,
    column<corev1.Node>(
      "Version",
      "string",
      "Of the node's agent.",
      ({ status }) => status?.nodeInfo?.kubeletVersion ?? "",
    ),
    wideColumn<corev1.Node>("Internal-IP", "string", "Its address in the cluster.", addressOf("InternalIP")),
    wideColumn<corev1.Node>("External-IP", "string", "Its address for the world.", addressOf("ExternalIP")),
    wideColumn<corev1.Node>(
      "OS-Image",
      "string",
      "Its distribution.",
      ({ status }) => status?.nodeInfo?.osImage || unknown,
    ),
    wideColumn<corev1.Node>(
      "Kernel-Version",
      "string",
      "Its kernel, and for which processor.",
      ({ status }) => {
        const { kernelVersion, architecture } = status?.nodeInfo ?? {};
        return `${kernelVersion || unknown}${architecture ? ` (${architecture})` : ""}`;
      },
    ),
    wideColumn<corev1.Node>(
      "Container-Runtime",
      "string",
      "What runs its containers.",
      ({ status }) => status?.nodeInfo?.containerRuntimeVersion || unknown,
    ),
  ] as Columns,
  selectableFields: ({ spec }) => ({ "spec.unschedulable": String(spec?.unschedulable ?? false) }),
  strategy: {
    tracksGeneration: false,
    applyDefaults(object) {
      object.spec ??= {};
      object.status ??= {};
      if (!object.status.allocatable && object.status.capacity)
        object.status.allocatable = { ...object.status.capacity };
      // The two name the same range.
      if (object.spec.podCIDR && !object.spec.podCIDRs?.length) object.spec.podCIDRs = [object.spec.podCIDR];
      else if (object.spec.podCIDRs?.length) object.spec.podCIDR = object.spec.podCIDRs[0];
    },
    prepareForCreate(object) {
      delete object.spec!.configSource;
      delete object.status!.config;
    },
    validate: validateNode,
    validateUpdate: validateNodeUpdate,
    validateStatusUpdate: validateNodeUpdate,
    warnings: ({ spec }) => [
      ...(spec?.configSource ? ["spec.configSource: the feature is removed"] : []),
      ...(spec?.externalID ? ["spec.externalID: this field is deprecated, and is unused by Kubernetes"] : []),
    ],
  },
};

function statusOf({ spec, status }: corev1.Node): string {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  const health = !ready ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady";
  return spec?.unschedulable ? `${health},SchedulingDisabled` : health;
}

const rolePrefix = "node-role.kubernetes.io/";

function rolesOf({ metadata }: corev1.Node): string[] {
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    if (key.startsWith(rolePrefix) && key.length > rolePrefix.length) roles.add(key.slice(rolePrefix.length));
    else if (key === "kubernetes.io/role" && value) roles.add(value);
  }
  return [...roles].sort();
}

function addressOf(type: string) {
  return ({ status }: corev1.Node) =>
    status?.addresses?.find((address) => address.type === type)?.address ?? none;
}
