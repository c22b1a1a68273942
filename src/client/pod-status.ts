import type { KubeObject } from "../machinery/index.ts";
import { pods } from "./resources.ts";
import type { Transport } from "./transport.ts";

/**
 * Merges into what is said of a pod, and returns the pod as it is then. Another pod may have taken the name meanwhile:
 * that is a Conflict. Counterpart upstream: `pkg/util/pod.PatchPodStatus`.
 */
export async function patchPodStatus(
  transport: Transport,
  { metadata: { namespace, name, uid } }: KubeObject,
  status: object,
  signal?: AbortSignal,
): Promise<any> {
  const { object } = await transport.request({
    verb: "patch",
    resource: pods,
    subresource: "status",
    namespace,
    name,
    patch: { type: "strategic", body: { metadata: { uid }, status } },
    ...(signal && { signal }),
  });
  return object;
}
