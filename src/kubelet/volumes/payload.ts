import type { corev1 } from "../../api/index.ts";
import type { ReferencedObjects } from "../container/env.ts";
import { fieldValue, type NodeFacts, resourceValue } from "../container/field-ref.ts";
import type { Payload, PayloadFile } from "./atomic-writer.ts";

const defaultFileMode = 0o644;

export interface PayloadContext {
  pod: corev1.Pod;
  node: NodeFacts;
  objects: ReferencedObjects;
  /** A token of the pod's service account. */
  token(projection: corev1.ServiceAccountTokenProjection): Promise<string>;
}

/** The files of a volume that the agent makes itself; undefined for other volumes. */
export function payloadOf(volume: corev1.Volume, context: PayloadContext): Promise<Payload> | undefined {
  if (volume.configMap)
    return configMapFiles(volume.configMap, volume.configMap.name!, volume.configMap.defaultMode, context);
  if (volume.secret) {
    const { secretName, items, optional, defaultMode } = volume.secret;
    return secretFiles({ items, optional }, secretName!, defaultMode, context);
  }
  if (volume.downwardAPI) {
    return Promise.resolve(
      downwardFiles(volume.downwardAPI.items ?? [], volume.downwardAPI.defaultMode, context),
    );
  }
  if (volume.projected) return projectedFiles(volume.projected, context);
  return undefined;
}

type Files = Map<string, PayloadFile>;
type Selection = { items?: corev1.KeyToPath[]; optional?: boolean };

async function configMapFiles(
  source: Selection,
  name: string,
  mode: number | undefined,
  context: PayloadContext,
): Promise<Files> {
  const { namespace } = context.pod.metadata;
  const configMap = await context.objects.configMap(namespace!, name);
  if (!configMap && !source.optional) throw new Error(`configmap "${name}" not found`);
  const data = new Map<string, Buffer>();
  for (const [key, value] of Object.entries(configMap?.data ?? {})) data.set(key, Buffer.from(value));
  for (const [key, value] of Object.entries(configMap?.binaryData ?? {}))
    data.set(key, Buffer.from(value, "base64"));
  return select(data, source, mode, "configmap references non-existent config key");
}

async function secretFiles(
  source: Selection,
  name: string,
  mode: number | undefined,
  context: PayloadContext,
): Promise<Files> {
  const { namespace } = context.pod.metadata;
  const secret = await context.objects.secret(namespace!, name);
  if (!secret && !source.optional) throw new Error(`secret "${name}" not found`);
  const data = new Map(
    Object.entries(secret?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64")]),
  );
  return select(data, source, mode, "references non-existent secret key");
}

function select(
  data: ReadonlyMap<string, Buffer>,
  { items, optional }: Selection,
  mode = defaultFileMode,
  missing: string,
): Files {
  const files: Files = new Map();
  if (!items?.length) {
    for (const [key, value] of data) files.set(key, { data: value, mode });
    return files;
  }
  for (const { key, path, mode: own } of items) {
    const value = data.get(key);
    if (value) files.set(path, { data: value, mode: own ?? mode });
    else if (!optional) throw new Error(`${missing}: ${key}`);
  }
  return files;
}

function downwardFiles(
  items: readonly corev1.DownwardAPIVolumeFile[],
  mode = defaultFileMode,
  { pod, node }: PayloadContext,
): Files {
  const files: Files = new Map();
  for (const { path, fieldRef, resourceFieldRef, mode: own } of items) {
    const text = fieldRef
      ? fieldValue(
          fieldRef.fieldPath,
          pod,
          (pod.status?.podIPs ?? []).map(({ ip }) => ip!),
          node,
        )
      : resourceValue(resourceFieldRef!, containerOf(pod, resourceFieldRef!.containerName), pod, node);
    files.set(path, { data: Buffer.from(text), mode: own ?? mode });
  }
  return files;
}

function containerOf(pod: corev1.Pod, name: string | undefined): corev1.Container {
  const found = [...pod.spec!.containers, ...(pod.spec!.initContainers ?? [])].find((c) => c.name === name);
  if (!found) throw new Error(`container ${name} not found`);
  return found;
}

async function projectedFiles(
  { sources, defaultMode }: corev1.ProjectedVolumeSource,
  context: PayloadContext,
): Promise<Files> {
  const parts = await Promise.all((sources ?? []).map((source) => projection(source, defaultMode, context)));
  return new Map(parts.flatMap((files) => [...files]));
}

async function projection(
  source: corev1.VolumeProjection,
  mode: number | undefined,
  context: PayloadContext,
): Promise<Files> {
  if (source.configMap) return configMapFiles(source.configMap, source.configMap.name!, mode, context);
  if (source.secret) return secretFiles(source.secret, source.secret.name!, mode, context);
  if (source.downwardAPI) return downwardFiles(source.downwardAPI.items ?? [], mode, context);
  if (source.serviceAccountToken) {
    const token = await context.token(source.serviceAccountToken);
    return new Map([[source.serviceAccountToken.path, tokenFile(token, mode, context.pod)]]);
  }
  throw new Error(`projected volume source ${Object.keys(source).join(", ")} is not supported`);
}

/** As kubelet: where the pod's processes are known to be one user or group, nobody else may read the token. */
function tokenFile(token: string, mode = defaultFileMode, pod: corev1.Pod): PayloadFile {
  const uid = onlyUser(pod);
  const isNarrow = uid !== undefined || pod.spec!.securityContext?.fsGroup !== undefined;
  return { data: Buffer.from(token), mode: isNarrow ? 0o600 : mode, ...(uid !== undefined && { uid }) };
}

/** The user all containers run as, if the spec says it of each and it is one. */
function onlyUser(pod: corev1.Pod): number | undefined {
  const ofPod = pod.spec!.securityContext?.runAsUser;
  const users = new Set(
    [...pod.spec!.containers, ...(pod.spec!.initContainers ?? [])].map(
      (c) => c.securityContext?.runAsUser ?? ofPod,
    ),
  );
  return users.size === 1 ? [...users][0] : undefined;
}
