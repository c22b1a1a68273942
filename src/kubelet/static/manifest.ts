import { createHash } from "node:crypto";
import {
  builtinKinds,
  builtinSchemas,
  configHashAnnotation,
  configSeenAnnotation,
  configSourceAnnotation,
  type corev1,
  referredKind,
} from "../../api/index.ts";
import {
  applyDefaults,
  isDnsSubdomain,
  normalise,
  parseYaml,
  validateObjectMeta,
  validateStructure,
} from "../../machinery/index.ts";

/** Where a manifest was found, and by whom. */
export interface ManifestOrigin {
  path: string;
  nodeName: string;
  seenAt: string;
}

const podKind = builtinKinds.find(({ group, kind }) => group === "" && kind === "Pod")!;

/**
 * The static pod of a manifest (YAML, or JSON, which is YAML): named for the node, bound to it, with defaults, and with
 * a uid that is the same for the same content. As upstream's `pkg/kubelet/config`.
 *
 * @throws Error that says what is wrong with the manifest
 */
export function staticPodOf(text: Buffer, origin: ManifestOrigin): corev1.Pod {
  const pod = decode(text);
  if (!pod.metadata.name) throw new Error("invalid pod: name is needed for the pod");
  const uid = pod.metadata.uid || hashOf(pod, origin);
  pod.metadata = {
    ...pod.metadata,
    uid,
    name: `${pod.metadata.name}-${origin.nodeName.toLowerCase()}`,
    namespace: pod.metadata.namespace || "default",
    annotations: {
      ...pod.metadata.annotations,
      [configHashAnnotation]: uid,
      [configSeenAnnotation]: origin.seenAt,
      [configSourceAnnotation]: "file",
    },
  };
  const schema = builtinSchemas.type(podKind.schema);
  applyDefaults(schema, pod, builtinSchemas);
  podKind.strategy.applyDefaults?.(pod);
  pod.spec = {
    ...pod.spec!,
    nodeName: origin.nodeName,
    // No trouble of the node evicts it.
    tolerations: [
      ...(pod.spec!.tolerations ?? []).filter((toleration) => !isSameAsOurs(toleration)),
      { operator: "Exists", effect: "NoExecute" },
    ],
  };
  pod.status = { phase: "Pending" };
  validate(pod);
  return pod;
}

const isSameAsOurs = ({ key, operator, effect }: corev1.Toleration) =>
  !key && operator === "Exists" && effect === "NoExecute";

function decode(text: Buffer): corev1.Pod {
  const { value } = parseYaml(text, { duplicates: "ignore" });
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error("couldn't parse as pod: it holds no object");
  }
  const pod = value as corev1.Pod;
  if (pod.apiVersion !== "v1" || pod.kind !== "Pod") {
    throw new Error(
      `couldn't parse as pod: it is a ${pod.kind ?? "?"} of ${pod.apiVersion ?? "?"}, not a Pod of v1`,
    );
  }
  const { errors } = normalise(builtinSchemas.type(podKind.schema), pod as any, builtinSchemas);
  if (errors.length > 0) throw new Error(`couldn't parse as pod: ${errors.join(", ")}`);
  pod.metadata ??= {};
  if (!pod.spec) throw new Error("invalid pod: spec: Required value");
  return pod;
}

function hashOf(pod: corev1.Pod, { nodeName, path }: ManifestOrigin): string {
  const text = `${JSON.stringify(pod)}host:${nodeName}file:${path}`;
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

function validate(pod: corev1.Pod): void {
  const errors = [
    ...podKind.strategy.validate(pod),
    ...validateStructure(builtinSchemas.type(podKind.schema), pod as any, builtinSchemas),
    ...validateObjectMeta(pod.metadata as any, { scope: "Namespaced", validateName: isDnsSubdomain }),
  ];
  if (errors.length > 0) {
    const told = [...new Set(errors.map((error) => `${error.field}: ${error.message}`))];
    throw new Error(`invalid pod: ${told.join(", ")}`);
  }
  const referred = referredKind(pod);
  if (referred) throw new Error(`static pods may not reference ${referred}`);
}
