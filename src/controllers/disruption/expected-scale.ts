import type { corev1 } from "../../api/index.ts";
import type { Client } from "../../client/index.ts";
import {
  controllerOf,
  isStatus,
  type KubeObject,
  type OwnerReference,
  parseApiVersion,
} from "../../machinery/index.ts";
import type { StoredResource } from "../controller.ts";

export interface ExpectedScale {
  /** How many pods the controllers of these want, together. */
  scale: number;
  /** Names of pods that nobody controls, and that can't be counted so. */
  unmanaged: readonly string[];
}

/**
 * Asks the controllers of pods how many they want: their `/scale`, and that of the Deployment above a ReplicaSet.
 * Throws when one can't be asked. Counterpart upstream: `getExpectedScale` and its finders.
 */
export async function expectedScale(
  client: Client,
  resources: readonly StoredResource[],
  pods: readonly corev1.Pod[],
): Promise<ExpectedScale> {
  const unmanaged: string[] = [];
  const controllers = new Map<string, { namespace: string; reference: OwnerReference }>();
  for (const pod of pods) {
    const reference = controllerOf(pod);
    if (!reference) unmanaged.push(pod.metadata.name!);
    else controllers.set(reference.uid, { namespace: pod.metadata.namespace!, reference });
  }
  const scales = new Map<string, number>();
  for (const { namespace, reference } of controllers.values()) {
    const found = await scaleOf(client, resources, namespace, reference);
    if (!found) {
      const { metadata } = pods.find((pod) => controllerOf(pod)?.uid === reference.uid)!;
      throw new Error(`found no controllers for pod "${metadata.name}"`);
    }
    scales.set(found.uid, found.replicas);
  }
  return { scale: [...scales.values()].reduce((sum, replicas) => sum + replicas, 0), unmanaged };
}

async function scaleOf(
  client: Client,
  resources: readonly StoredResource[],
  namespace: string,
  { apiVersion, kind, name, uid }: OwnerReference,
): Promise<{ uid: string; replicas: number } | undefined> {
  const { group, version } = parseApiVersion(apiVersion);
  const resource = resources.find(
    (each) => each.group === group && each.version === version && each.kind === kind,
  );
  if (!resource) return undefined;
  const controllers = client.resource<KubeObject>(resource);
  const controller = await orUndefined(controllers.get(namespace, name));
  if (controller?.metadata.uid !== uid) return undefined;
  // A ReplicaSet of a Deployment is one of several, and only the sum is to stay.
  const above = controllerOf(controller);
  const outer = above && (await scaleOf(client, resources, namespace, above));
  if (outer) return outer;
  const scale = await orUndefined(controllers.get(namespace, name, { subresource: "scale" }));
  if (!scale) {
    const qualified = group === "" ? resource.resource : `${resource.resource}.${group}`;
    throw new Error(`${qualified} does not implement the scale subresource`);
  }
  return { uid, replicas: scale.spec?.replicas ?? 0 };
}

async function orUndefined<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (isStatus(error, "NotFound")) return undefined;
    throw error;
  }
}
