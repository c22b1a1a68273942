import { type corev1, podRequestAmounts } from "../api/index.ts";
import { parseQuantity, StatusError } from "../machinery/index.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./contract.ts";
import { type Lookup, refusal } from "./refuse.ts";

/**
 * Refuses at once what no retry would make fit: a resize that asks for more than the pod's node has in all.
 * Counterpart upstream: `plugin/pkg/admission/podresize`.
 */
export function podResize(getNode: (name: string) => Lookup<corev1.Node>): AdmissionPlugin {
  return {
    name: "PodResizeValidator",
    wants: ({ operation, resource, subresource }) =>
      operation === "UPDATE" &&
      resource.resource === "pods" &&
      resource.group === "" &&
      subresource === "resize",
    async validate(request) {
      const pod = request.object as corev1.Pod;
      const name = pod.spec!.nodeName;
      // Where nothing of the spec changes there is nothing to fit.
      if (!name || pod.metadata.generation === request.old!.metadata.generation) return;
      const node = await getNode(name);
      if (!node) throw refusal(request, `node ${JSON.stringify(name)} not found`);
      const os = node.metadata.labels?.["kubernetes.io/os"];
      if (os !== undefined && os !== "linux")
        throw refused(
          request,
          "UnsupportedPlatform",
          `pod resize is only supported on linux nodes, node ${JSON.stringify(name)} is ${JSON.stringify(os)}`,
        );
      const lacks = lackOf(pod.spec!, node.status?.allocatable ?? {});
      if (lacks.length > 0)
        throw refused(
          request,
          "NodeCapacity",
          `node didn't have enough allocatable resources: ${lacks.join("; ")}`,
        );
    },
  };
}

function lackOf(spec: corev1.PodSpec, allocatable: Readonly<Record<string, string>>): string[] {
  const requests = podRequestAmounts(spec);
  return (["cpu", "memory"] as const).flatMap((name) => {
    const requested = requests[name];
    const has = parseQuantity(String(allocatable[name] ?? 0));
    if (!requested || requested.compare(has) <= 0) return [];
    const count = (amount: typeof has) => (name === "cpu" ? amount.milliValue() : amount.value());
    return [`${name}, requested: ${count(requested)}, allocatable: ${count(has)}`];
  });
}

/** With the cause that tells a client which of the two it was. */
function refused(request: AdmissionRequest, reason: string, why: string): StatusError {
  const { status } = refusal(request, why);
  return new StatusError(status.code!, status.reason, status.message!, {
    ...status.details,
    causes: [{ reason }],
  });
}
