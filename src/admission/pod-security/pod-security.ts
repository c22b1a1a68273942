import type { corev1 } from "../../api/index.ts";
import type { Clock } from "../../base/index.ts";
import { invalid, type KubeObject } from "../../machinery/index.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../contract.ts";
import { type Lookup, refusal } from "../refuse.ts";
import type { PodLike } from "./check.ts";
import { explain, violationsOf } from "./evaluate.ts";
import { existingPodWarnings } from "./existing-pods.ts";
import { compareLevels, formatPolicy, isSamePolicy, labelPrefix, policyOf } from "./policy.ts";

export interface PodSecurityOptions {
  clock: Clock;
  getNamespace(name: string): Lookup<corev1.Namespace>;
  podsIn(namespace: string): Lookup<readonly corev1.Pod[]>;
}

/** Through these nothing of a pod's spec is written. */
const otherSubresources = new Set([
  ...["exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"],
]);

/** Where kinds that make pods have them described, by resource and group. */
const templates: Readonly<Record<string, (object: KubeObject) => corev1.PodTemplateSpec | undefined>> = {
  podtemplates: ({ template }) => template,
  replicationcontrollers: ({ spec }) => spec?.template,
  "replicasets.apps": ({ spec }) => spec?.template,
  "deployments.apps": ({ spec }) => spec?.template,
  "statefulsets.apps": ({ spec }) => spec?.template,
  "daemonsets.apps": ({ spec }) => spec?.template,
  "jobs.batch": ({ spec }) => spec?.template,
  "cronjobs.batch": ({ spec }) => spec?.jobTemplate?.spec?.template,
};

const nameOf = ({ resource: { group, resource } }: AdmissionRequest) =>
  group === "" ? resource : `${resource}.${group}`;

/**
 * Holds pods to the level that their namespace's labels ask for: enforced, warned of, and noted for the audit. Kinds
 * that make pods are only warned of, as their pods will be refused. Nobody is exempt. As
 * `plugin/pkg/admission/security/podsecurity` over `k8s.io/pod-security-admission`.
 */
export function podSecurity(options: PodSecurityOptions): AdmissionPlugin {
  return {
    name: "PodSecurity",
    wants(request) {
      const { operation, subresource } = request;
      if (operation !== "CREATE" && operation !== "UPDATE") return false;
      const name = nameOf(request);
      if (name === "pods") return subresource === undefined || !otherSubresources.has(subresource);
      return subresource === undefined && (name === "namespaces" || templates[name] !== undefined);
    },
    async validate(request) {
      switch (nameOf(request)) {
        case "namespaces":
          return validateNamespace(request, options);
        case "pods":
          return validatePod(request, options);
        default:
          return validateTemplate(request, options);
      }
    },
  };
}

/** Labels must be readable, and pods that the new ones would not let in are warned of. */
async function validateNamespace(request: AdmissionRequest, options: PodSecurityOptions): Promise<void> {
  const { kind, name, object, old, operation } = request;
  const after = policyOf(object!.metadata.labels);
  const before = operation === "UPDATE" ? policyOf(old!.metadata.labels) : undefined;
  const isNewlyWrong = JSON.stringify(after.errors) !== JSON.stringify(before?.errors ?? []);
  if (after.errors.length > 0 && isNewlyWrong)
    throw invalid(kind, name || (object!.metadata.name ?? ""), after.errors);
  if (!before) return;
  const [old_, new_] = [before.policy.enforce, after.policy.enforce];
  if (isSamePolicy(old_, new_) || new_.level === "privileged") return;
  if (old_.version === new_.version && compareLevels(new_.level, old_.level) < 0) return;
  const namespace = object!.metadata.name!;
  const pods = (await options.podsIn(namespace)) ?? [];
  for (const warning of existingPodWarnings(namespace, pods, new_, options.clock)) request.warn(warning);
}

async function validatePod(request: AdmissionRequest, options: PodSecurityOptions): Promise<void> {
  const namespace = await options.getNamespace(request.namespace!);
  const { policy, errors } = policyOf(namespace?.metadata.labels);
  const modes = [policy.enforce, policy.audit, policy.warn];
  if (errors.length === 0 && modes.every(({ level }) => level === "privileged")) return;
  const pod = request.object as corev1.Pod;
  if (request.operation === "UPDATE" && !changesContainers(pod, request.old as corev1.Pod)) return;
  const judged = { annotations: pod.metadata.annotations ?? {}, spec: pod.spec };
  request.audit(`${labelPrefix}enforce-policy`, formatPolicy(policy.enforce));
  noteViolations(request, policy, judged);
  const violations = violationsOf(policy.enforce, judged);
  if (violations.length > 0) {
    throw refusal(request, `violates PodSecurity "${formatPolicy(policy.enforce)}": ${explain(violations)}`);
  }
  warnOf(request, policy, judged);
}

async function validateTemplate(request: AdmissionRequest, options: PodSecurityOptions): Promise<void> {
  const namespace = await options.getNamespace(request.namespace!);
  const { policy } = policyOf(namespace?.metadata.labels);
  if (policy.audit.level === "privileged" && policy.warn.level === "privileged") return;
  const template = templates[nameOf(request)]!(request.object!);
  if (!template?.spec) return;
  const judged = { annotations: template.metadata?.annotations ?? {}, spec: template.spec };
  noteViolations(request, policy, judged);
  warnOf(request, policy, judged);
}

type Policy = ReturnType<typeof policyOf>["policy"];

function noteViolations(request: AdmissionRequest, { audit }: Policy, pod: PodLike): void {
  const violations = violationsOf(audit, pod);
  if (violations.length > 0)
    request.audit(
      `${labelPrefix}audit-violations`,
      `would violate PodSecurity "${formatPolicy(audit)}": ${explain(violations)}`,
    );
}

function warnOf(request: AdmissionRequest, { warn }: Policy, pod: PodLike): void {
  const violations = violationsOf(warn, pod);
  if (violations.length > 0)
    request.warn(`would violate PodSecurity "${formatPolicy(warn)}": ${explain(violations)}`);
}

/** Of what may change in a pod, only other images and new ephemeral containers are judged. */
function changesContainers(after: corev1.Pod, before: corev1.Pod): boolean {
  const lists = ["containers", "initContainers"] as const;
  const differs = lists.some((list) => {
    const [now, then] = [after.spec[list] ?? [], before.spec[list] ?? []];
    return now.length !== then.length || now.some(({ image }, i) => image !== then[i]!.image);
  });
  if (differs) return true;
  return (after.spec.ephemeralContainers ?? []).some(({ name, image }) => {
    const then = before.spec.ephemeralContainers?.find((each) => each.name === name);
    return then === undefined || then.image !== image;
  });
}
