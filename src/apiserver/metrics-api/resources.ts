import type { Column } from "../../api/index.ts";
import { type KubeObject, Quantity } from "../../machinery/index.ts";
import { durationOf, metadataOf, type NodeUsage, resourceList } from "./usage.ts";

/** A resource of metrics.k8s.io: of objects of the core group, what they use now. Nothing of it is stored. */
export interface MetricsResource {
  /** Also that of the objects it is about. */
  resource: "nodes" | "pods";
  kind: "NodeMetrics" | "PodMetrics";
  scope: "Cluster" | "Namespaced";
  /** Whose agent knows. */
  nodeOf(object: KubeObject): string | undefined;
  /** Undefined where nothing is known of it (yet). */
  metricsOf(object: KubeObject, usage: NodeUsage): KubeObject | undefined;
  columns: readonly Column<KubeObject>[];
}

export const metricsGroup = "metrics.k8s.io";
export const metricsVersion = "v1beta1";
const apiVersion = `${metricsGroup}/${metricsVersion}`;

const name: Column<KubeObject> = {
  name: "Name",
  type: "string",
  format: "name",
  description: "Name must be unique within a namespace.",
  priority: 0,
  value: ({ metadata }) => metadata.name!,
};
const columns = (usageOf: (object: KubeObject) => Record<string, string>): Column<KubeObject>[] => [
  name,
  ...(["cpu", "memory"] as const).map(
    (resource): Column<KubeObject> => ({
      name: resource,
      type: "string",
      description: `Usage of ${resource}.`,
      priority: 0,
      value: (object) => usageOf(object)[resource] ?? "0",
    }),
  ),
  {
    name: "Window",
    type: "string",
    description: "The time that the usage was measured over.",
    priority: 0,
    value: (object) => object.window as string,
  },
];

const nodes: MetricsResource = {
  resource: "nodes",
  kind: "NodeMetrics",
  scope: "Cluster",
  nodeOf: ({ metadata }) => metadata.name,
  metricsOf: (node, usage) => ({
    kind: "NodeMetrics",
    apiVersion,
    metadata: metadataOf(node, usage.timestamp),
    timestamp: usage.timestamp,
    window: durationOf(usage.windowMs),
    usage: resourceList(usage),
  }),
  columns: columns(({ usage }) => usage as Record<string, string>),
};

const pods: MetricsResource = {
  resource: "pods",
  kind: "PodMetrics",
  scope: "Namespaced",
  nodeOf: ({ spec, status }) => (status?.phase === "Running" ? spec?.nodeName : undefined),
  metricsOf: (pod, { pods: known }) => {
    const usage = known.get(pod.metadata.uid!);
    if (!usage || usage.containers.length === 0) return undefined;
    return {
      kind: "PodMetrics",
      apiVersion,
      metadata: metadataOf(pod, usage.timestamp),
      timestamp: usage.timestamp,
      window: durationOf(usage.windowMs),
      containers: usage.containers.map((container) => ({
        name: container.name,
        usage: resourceList(container),
      })),
    };
  },
  columns: columns(({ containers }) => sumOf(containers as { usage: Record<string, string> }[])),
};

function sumOf(containers: readonly { usage: Record<string, string> }[]): Record<string, string> {
  const sum = (resource: string) =>
    containers.reduce(
      (total, { usage }) => total.add(Quantity.parse(usage[resource]!)),
      Quantity.of(0, resource === "memory" ? "binarySI" : "decimalSI"),
    );
  return { cpu: sum("cpu").toString(), memory: sum("memory").toString() };
}

export const metricsResources: readonly MetricsResource[] = [nodes, pods];
