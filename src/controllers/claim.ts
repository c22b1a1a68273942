import type { ResourceClient } from "../client/index.ts";
import {
  controllerOf,
  isStatus,
  type KubeObject,
  type OwnerReference,
  type Selector,
} from "../machinery/index.ts";

/**
 * The objects among `candidates` that an owner controls: it adopts orphans its selector matches, and releases what
 * it matches no longer. Counterpart upstream: `controller.ControllerRefManager`.
 */
export async function claim<T extends KubeObject>(options: {
  client: ResourceClient<T>;
  owner: { apiVersion: string; kind: string; object: KubeObject };
  selector: Selector;
  candidates: readonly T[];
}): Promise<T[]> {
  const { client, owner, selector, candidates } = options;
  const { uid, namespace, deletionTimestamp } = owner.object.metadata;
  const claimed: T[] = [];
  for (const object of candidates) {
    const controller = controllerOf(object);
    const matches = selector.matches(object.metadata.labels ?? {});
    if (controller) {
      if (controller.uid !== uid) continue;
      if (matches) claimed.push(object);
      else if (!deletionTimestamp) await release(client, object, uid!);
      continue;
    }
    if (!matches || deletionTimestamp || object.metadata.deletionTimestamp) continue;
    const reference = controllerReference(owner, owner.object);
    const adopted = await orIfGone(
      client.patch(namespace, object.metadata.name!, "strategic", {
        metadata: { uid: object.metadata.uid, ownerReferences: [reference] },
      }),
    );
    if (adopted) claimed.push(adopted);
  }
  return claimed;
}

/** What an object carries whose controller is `owner`. As `metav1.NewControllerRef`. */
export function controllerReference(
  { apiVersion, kind }: { apiVersion: string; kind: string },
  { metadata: { name, uid } }: KubeObject,
): OwnerReference {
  return { apiVersion, kind, name: name!, uid: uid!, controller: true, blockOwnerDeletion: true };
}

async function release<T extends KubeObject>(
  client: ResourceClient<T>,
  object: T,
  ownerUid: string,
): Promise<void> {
  await orIfGone(
    client.patch(object.metadata.namespace, object.metadata.name!, "strategic", {
      metadata: { uid: object.metadata.uid, ownerReferences: [{ $patch: "delete", uid: ownerUid }] },
    }),
  );
}

/** Undefined when the object went, or another took its name, meanwhile. */
async function orIfGone<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (isStatus(error, "NotFound") || isStatus(error, "Invalid") || isStatus(error, "Conflict"))
      return undefined;
    throw error;
  }
}
