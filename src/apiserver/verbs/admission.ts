import type { AdmissionRequest } from "../../admission/index.ts";
import type { KubeObject } from "../../machinery/index.ts";
import { type Call, type Caller, resourceOf, type Serving } from "../context.ts";

/** The request that plugins see of a call. */
export function admissionRequest(
  serving: Pick<Serving, "log">,
  call: Call,
  caller: Caller,
  write: {
    operation: AdmissionRequest["operation"];
    name: string;
    object?: KubeObject;
    old?: KubeObject;
  },
): AdmissionRequest {
  const { kind } = call.storage;
  return {
    operation: write.operation,
    kind: { group: kind.group, version: kind.version, kind: kind.kind },
    resource: resourceOf(kind),
    ...(call.subresource && { subresource: call.subresource }),
    ...(call.namespace && { namespace: call.namespace }),
    name: write.name,
    user: caller.user,
    dryRun: isDryRun(call),
    ...(write.object && { object: write.object }),
    ...(write.old && { old: write.old }),
    warn: (message) => caller.warn(message),
    audit: (key, value) =>
      serving.log.info(
        {
          user: caller.user.name,
          operation: write.operation,
          object: [call.namespace, write.name].filter(Boolean).join("/"),
          [key]: value,
        },
        "audit",
      ),
  };
}

export async function admitMutating(serving: Serving, request: AdmissionRequest): Promise<void> {
  for (const plugin of serving.admission) {
    if (plugin.mutate && plugin.wants(request)) await plugin.mutate(request);
  }
}

export async function admitValidating(serving: Serving, request: AdmissionRequest): Promise<void> {
  for (const plugin of serving.admission) {
    if (plugin.validate && plugin.wants(request)) await plugin.validate(request);
  }
}

export const isDryRun = (call: Call) => (call.options.dryRun?.length ?? 0) > 0;
