import type { ContainerTarget, PodTarget } from "../../client/index.ts";
import { badRequest, type KubeObject, notFound } from "../../machinery/index.ts";
import type { Call } from "../context.ts";

/** The pod that `call` names. */
export async function podOf(call: Call): Promise<KubeObject> {
  const entry = await call.storage.get(call.storage.key(call.namespace, call.name!));
  if (!entry) throw notFound(call.storage.groupResource, call.name!);
  return entry.object;
}

/**
 * The container that is meant: the named one, or the only one.
 * As `pkg/registry/core/pod.LogLocation` and `streamLocation`; kubectl shows these messages.
 */
export function containerOf(pod: KubeObject, named: string | undefined): ContainerTarget {
  const names = (field: string): string[] => (pod.spec[field] ?? []).map((container: any) => container.name);
  const { name } = pod.metadata;
  const containers = names("containers");
  const initContainers = names("initContainers");
  const ephemeralContainers = names("ephemeralContainers");
  const all = [...containers, ...initContainers, ...ephemeralContainers];
  const target = (container: string): ContainerTarget => ({ ...podTarget(pod), container });
  if (named) {
    if (!all.includes(named)) throw badRequest(`container ${named} is not valid for pod ${name}`);
    return target(named);
  }
  if (containers.length === 1) return target(containers[0]!);
  let message = `a container name must be specified for pod ${name}, choose one of: [${containers.join(" ")}]`;
  if (initContainers.length > 0) message += ` or one of the init containers: [${initContainers.join(" ")}]`;
  if (ephemeralContainers.length > 0)
    message += ` or one of the ephemeral containers: [${ephemeralContainers.join(" ")}]`;
  throw badRequest(message);
}

export function podTarget(pod: KubeObject): PodTarget {
  const { namespace, name, uid } = pod.metadata;
  return { namespace: namespace!, name: name!, uid: uid! };
}

/** The node that the pod runs on. */
export function nodeOf(pod: KubeObject): string {
  const nodeName: string | undefined = pod.spec.nodeName;
  if (!nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  return nodeName;
}
