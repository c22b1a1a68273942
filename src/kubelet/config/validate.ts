import { sysctlPatternProblem } from "../admission/sysctls.ts";
import type { KubeletConfig } from "./fields.ts";

/** What fields must hold between them, a sentence a problem. As `pkg/kubelet/apis/config/validation`. */
export function problemsOf(config: KubeletConfig): string[] {
  return [
    ...imageProblems(config),
    ...evictionProblems(config),
    ...shutdownProblems(config),
    ...reservedProblems(config),
    ...(config.userNamespaces.idsPerPod % 65_536 === 0
      ? []
      : ["userNamespaces.idsPerPod must be a multiple of 65536"]),
    ...config.allowedUnsafeSysctls.flatMap((pattern) => sysctlPatternProblem(pattern) ?? []),
  ];
}

function imageProblems(config: KubeletConfig): string[] {
  const { imageGCHighThresholdPercent: high = 85, imageGCLowThresholdPercent: low } = config;
  const { imageMaximumGCAge: oldest, imageMinimumGCAge: youngest } = config;
  return [
    ...(low >= high
      ? [`imageGCLowThresholdPercent ${low} must be less than imageGCHighThresholdPercent ${high}`]
      : []),
    ...(oldest.ms > 0 && oldest.ms <= youngest.ms
      ? ["imageMaximumGCAge must be greater than imageMinimumGCAge"]
      : []),
    ...(config.serializeImagePulls && (config.maxParallelImagePulls ?? 1) > 1
      ? ["maxParallelImagePulls cannot be larger than 1 unless serializeImagePulls is set to false"]
      : []),
  ];
}

function evictionProblems({ evictionSoft, evictionSoftGracePeriod }: KubeletConfig): string[] {
  return Object.keys(evictionSoft)
    .filter((signal) => evictionSoft[signal] && !evictionSoftGracePeriod[signal])
    .map((signal) => `grace period must be specified for the soft eviction threshold ${signal}`);
}

function shutdownProblems(config: KubeletConfig): string[] {
  const { shutdownGracePeriod: all, shutdownGracePeriodCriticalPods: critical } = config;
  const isByPriority = config.shutdownGracePeriodByPodPriority.length > 0;
  return [
    ...(critical.ms > all.ms ? ["shutdownGracePeriodCriticalPods must be <= shutdownGracePeriod"] : []),
    ...(isByPriority && (all.ms > 0 || critical.ms > 0)
      ? [
          "shutdownGracePeriodByPodPriority cannot be given beside shutdownGracePeriod or shutdownGracePeriodCriticalPods",
        ]
      : []),
  ];
}

function reservedProblems({ enforceNodeAllocatable: enforced }: KubeletConfig): string[] {
  return enforced.includes("none") && enforced.length > 1
    ? ['enforceNodeAllocatable may not contain additional enforcements when "none" is specified']
    : [];
}
