import type { corev1 } from "../../api/index.ts";
import type { Clock } from "../../base/index.ts";
import { isStatus, type KubeObject } from "../../machinery/index.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../contract.ts";
import { type Lookup, refusal } from "../refuse.ts";
import { charge } from "./charge.ts";
import { evaluatorFor } from "./evaluators.ts";

export interface QuotaOptions {
  clock: Clock;
  quotasIn(namespace: string): Lookup<readonly corev1.ResourceQuota[]>;
  /** Writes the quota's status, if it is still the quota that was read; else a conflict. */
  writeQuotaStatus(quota: corev1.ResourceQuota): Promise<unknown>;
}

/** As upstream: so often a quota may change under our hands, because of others who are charged to it. */
const triesMax = 20;

/**
 * Refuses what would use more of a namespace than its quotas allow, and charges what is let in to them, before it is
 * stored: two writes at once can't both have the last of it. As `apiserver/pkg/admission/plugin/resourcequota`.
 */
export function resourceQuota({ clock, quotasIn, writeQuotaStatus }: QuotaOptions): AdmissionPlugin {
  return {
    name: "ResourceQuota",
    wants: (request) =>
      request.namespace !== undefined &&
      (request.operation === "CREATE" || request.operation === "UPDATE") &&
      evaluatorFor(request.resource)?.handles(request) === true,
    async validate(request) {
      const evaluator = evaluatorFor(request.resource)!;
      const charged = {
        evaluator,
        object: inNamespace(request),
        ...(request.operation === "UPDATE" && { old: request.old! }),
        isStatus: request.subresource === "status",
      };
      const done = new Set<string>();
      for (let tries = 1; ; tries++) {
        const quotas = ((await quotasIn(request.namespace!)) ?? []).filter(
          ({ metadata }) => !done.has(metadata.uid!),
        );
        const changes: corev1.ResourceQuota[] = [];
        // Each quota has to agree before any is charged.
        for (const quota of quotas) {
          const outcome = charge(quota, charged, clock.now());
          if (outcome.is === "refused") throw refusal(request, outcome.why);
          if (outcome.is === "charged")
            changes.push({ ...quota, status: { ...quota.status, used: outcome.used } });
        }
        if (changes.length === 0 || request.dryRun) return;
        const failures = await Promise.all(
          changes.map((quota) =>
            writeQuotaStatus(quota).then(
              () => void done.add(quota.metadata.uid!),
              (error: Error) => error,
            ),
          ),
        );
        const failed = failures.filter((error) => error !== undefined);
        if (failed.length === 0) return;
        const fatal = failed.find((error) => !isStatus(error, "Conflict") && !isStatus(error, "NotFound"));
        if (fatal || tries === triesMax) throw fatal ?? failed[0];
      }
    },
  };
}

/** An object in a body may leave its namespace to the path. */
function inNamespace({ object, namespace }: AdmissionRequest): KubeObject {
  const given = object!;
  return given.metadata.namespace ? given : { ...given, metadata: { ...given.metadata, namespace } };
}
