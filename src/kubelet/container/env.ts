import type { corev1 } from "../../api/index.ts";
import { expand } from "./expansion.ts";
import { fieldValue, type NodeFacts, resourceValue } from "./field-ref.ts";

/** Reads the objects a pod refers to. */
export interface ReferencedObjects {
  /** Undefined: there is none. */
  configMap(namespace: string, name: string): Promise<corev1.ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<corev1.Secret | undefined>;
}

export interface EnvContext {
  pod: corev1.Pod;
  container: corev1.Container;
  podIps: readonly string[];
  node: NodeFacts;
  objects: ReferencedObjects;
  /** Variables for services: `KUBERNETES_SERVICE_HOST`… They give way to the container's own. */
  services: ReadonlyMap<string, string>;
  /** A variable out of a file in one of the pod's volumes. */
  fileKey(reference: corev1.FileKeySelector): Promise<string | undefined>;
}

const configMapMissing = (name: string) => `configmap "${name}" not found`;
const secretMissing = (name: string) => `secret "${name}" not found`;

/**
 * The variables of a container: `envFrom` first, then `env` in order, each of which may use those before it, and last
 * the services' that neither has set. As kubelet's makeEnvironmentVariables.
 */
export async function makeEnv(context: EnvContext): Promise<Map<string, string>> {
  const own = new Map<string, string>();
  for (const source of context.container.envFrom ?? []) await addFrom(source, own, context);
  const lookup = (name: string) => own.get(name) ?? context.services.get(name);
  for (const variable of context.container.env ?? []) {
    const value = variable.value
      ? expand(variable.value, lookup)
      : variable.valueFrom
        ? await valueFrom(variable.valueFrom, context)
        : "";
    if (value !== undefined) own.set(variable.name, value);
  }
  for (const [name, value] of context.services) if (!own.has(name)) own.set(name, value);
  return own;
}

async function addFrom(
  source: corev1.EnvFromSource,
  own: Map<string, string>,
  context: EnvContext,
): Promise<void> {
  const namespace = context.pod.metadata.namespace!;
  const prefix = source.prefix ?? "";
  if (source.configMapRef) {
    const { name, optional } = source.configMapRef;
    const configMap = await context.objects.configMap(namespace, name!);
    if (!configMap && !optional) throw new Error(configMapMissing(name!));
    for (const [key, value] of Object.entries(configMap?.data ?? {})) own.set(prefix + key, value);
  } else if (source.secretRef) {
    const { name, optional } = source.secretRef;
    const secret = await context.objects.secret(namespace, name!);
    if (!secret && !optional) throw new Error(secretMissing(name!));
    for (const [key, value] of Object.entries(secret?.data ?? {})) own.set(prefix + key, decode(value));
  }
}

const decode = (base64: string) => Buffer.from(base64, "base64").toString("utf8");

/** Undefined: the variable is left out. */
async function valueFrom(source: corev1.EnvVarSource, context: EnvContext): Promise<string | undefined> {
  const { pod, container, podIps, node, objects } = context;
  const namespace = pod.metadata.namespace!;
  if (source.fieldRef) return fieldValue(source.fieldRef.fieldPath, pod, podIps, node);
  if (source.resourceFieldRef) {
    const { containerName } = source.resourceFieldRef;
    return resourceValue(source.resourceFieldRef, containerNamed(pod, containerName) ?? container, pod, node);
  }
  if (source.configMapKeyRef) {
    const { name, key, optional } = source.configMapKeyRef;
    const configMap = await objects.configMap(namespace, name!);
    if (!configMap && !optional) throw new Error(configMapMissing(name!));
    const value = configMap?.data?.[key];
    if (value === undefined && !optional)
      throw new Error(`couldn't find key ${key} in ConfigMap ${namespace}/${name}`);
    return value;
  }
  if (source.secretKeyRef) {
    const { name, key, optional } = source.secretKeyRef;
    const secret = await objects.secret(namespace, name!);
    if (!secret && !optional) throw new Error(secretMissing(name!));
    const value = secret?.data?.[key];
    if (value === undefined && !optional)
      throw new Error(`couldn't find key ${key} in Secret ${namespace}/${name}`);
    return value === undefined ? undefined : decode(value);
  }
  if (source.fileKeyRef) {
    const value = await context.fileKey(source.fileKeyRef);
    if (value === undefined && !source.fileKeyRef.optional) {
      throw new Error(
        `environment variable key "${source.fileKeyRef.key}" not found in file "${source.fileKeyRef.path}"`,
      );
    }
    return value;
  }
  throw new Error("an environment variable's valueFrom names no source");
}

function containerNamed(pod: corev1.Pod, name: string | undefined): corev1.Container | undefined {
  if (!name) return undefined;
  const found = [...pod.spec!.containers, ...(pod.spec!.initContainers ?? [])].find((c) => c.name === name);
  if (!found) throw new Error(`container ${name} not found`);
  return found;
}
