import {
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  isDnsSubdomain,
  outOfRange,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import { validateLabels } from "../../../../validation/labels.ts";
import { addInvalid, type FieldErrors, validateDnsLabel } from "../../../../validation/values.ts";
import { validateAffinity } from "./affinity.ts";
import { validateContainers, validateEphemeralContainers, validateInitContainers } from "./containers.ts";
import type { SpecContext } from "./context.ts";
import {
  validateDnsConfig,
  validateDnsPolicy,
  validateHostAliases,
  validateHostnameOverride,
} from "./dns.ts";
import { validateFileKeyVolumes } from "./env.ts";
import { validateHostNetworkPorts } from "./ports.ts";
import { validateContainerResources, validatePodLevelResources } from "./resources.ts";
import { validateRestartPolicy } from "./restart.ts";
import {
  validatePreemptionPolicy,
  validateReadinessGates,
  validateSchedulingGates,
  validateTolerations,
} from "./scheduling.ts";
import { validateHostUsers, validatePodSecurityContext } from "./security-context.ts";
import { validateTopologySpread } from "./topology-spread.ts";
import { validateVolumes } from "./volumes.ts";
import { validateHostProcess, validateLinuxPod, validateWindowsPod } from "./windows.ts";

const noClaims: ReadonlySet<string> = new Set();

/**
 * What is wrong with a pod's spec, which has its defaults. In upstream's order of fields (`ValidatePodSpec`), with its
 * paths and words.
 */
export function validatePodSpec(
  errors: FieldErrors,
  spec: corev1.PodSpec,
  owner: SpecContext["owner"],
  path: string,
): void {
  if (spec.terminationGracePeriodSeconds === undefined)
    errors.push(fieldRequired(`${path}.terminationGracePeriodSeconds`));
  const context: SpecContext = {
    spec,
    owner,
    volumes: validateVolumes(errors, spec.volumes, owner, `${path}.volumes`),
    claimNames: spec.resourceClaims
      ? new Set(spec.resourceClaims.map(({ name }) => name).filter(Boolean))
      : noClaims,
  };
  validateResourceClaims(errors, context, `${path}.resourceClaims`);
  validateContainers(errors, context, `${path}.containers`);
  validateInitContainers(errors, context, `${path}.initContainers`);
  validateEphemeralContainers(errors, context, `${path}.ephemeralContainers`);
  validatePodLevelResources(errors, context, `${path}.resources`);
  validateHostNetworkPorts(errors, context, path);
  validateRestartPolicy(errors, spec.restartPolicy, `${path}.restartPolicy`);
  validateDnsPolicy(errors, spec.dnsPolicy, `${path}.dnsPolicy`);
  validateLabels(errors, spec.nodeSelector, `${path}.nodeSelector`);
  validatePodSecurityContext(errors, spec, `${path}.securityContext`);
  validateAffinity(errors, spec.affinity, `${path}.affinity`);
  validateDnsConfig(errors, spec, `${path}.dnsConfig`);
  validateReadinessGates(errors, spec.readinessGates, `${path}.readinessGates`);
  validateSchedulingGates(errors, spec.schedulingGates, `${path}.schedulingGates`);
  validateTopologySpread(errors, spec.topologySpreadConstraints, `${path}.topologySpreadConstraints`);
  validateHostProcess(errors, spec, path);
  validateHostUsers(errors, spec, path);
  validateHostnameOverride(errors, spec, `${path}.hostnameOverride`);
  validateName(errors, spec.serviceAccountName, `${path}.serviceAccountName`);
  validateName(errors, spec.nodeName, `${path}.nodeName`);
  validateDeadline(errors, spec.activeDeadlineSeconds, `${path}.activeDeadlineSeconds`);
  if (spec.hostname) validateDnsLabel(errors, spec.hostname, `${path}.hostname`);
  if (spec.subdomain) validateDnsLabel(errors, spec.subdomain, `${path}.subdomain`);
  validateTolerations(errors, spec.tolerations, `${path}.tolerations`);
  validateHostAliases(errors, spec.hostAliases, `${path}.hostAliases`);
  validateName(errors, spec.priorityClassName, `${path}.priorityClassName`);
  if (spec.runtimeClassName !== undefined)
    addInvalid(
      errors,
      spec.runtimeClassName,
      isDnsSubdomain(spec.runtimeClassName),
      `${path}.runtimeClassName`,
    );
  validatePreemptionPolicy(errors, spec.preemptionPolicy, `${path}.preemptionPolicy`);
  if (spec.overhead)
    validateContainerResources(errors, { limits: spec.overhead }, noClaims, `${path}.overhead`);
  validateOS(errors, spec, path);
  validateFileKeyVolumes(errors, context, path);
}

function validateName(errors: FieldErrors, name: string | undefined, path: string): void {
  if (name) addInvalid(errors, name, isDnsSubdomain(name), path);
}

const deadlineMaxS = 2 ** 31 - 1;

function validateDeadline(errors: FieldErrors, seconds: number | undefined, path: string): void {
  if (seconds !== undefined && (seconds < 1 || seconds > deadlineMaxS))
    errors.push(fieldInvalid(path, seconds, outOfRange(1, deadlineMaxS)));
}

function validateOS(errors: FieldErrors, spec: corev1.PodSpec, path: string): void {
  if (!spec.os) return;
  const { name } = spec.os;
  if (!name) errors.push(fieldRequired(`${path}.os.name`));
  else if (name === "linux") validateLinuxPod(errors, spec, path);
  else if (name === "windows") validateWindowsPod(errors, spec, path);
  else errors.push(fieldNotSupported(`${path}.os`, name, ["linux", "windows"]));
}

function validateResourceClaims(errors: FieldErrors, { spec, owner }: SpecContext, path: string): void {
  const names = new Set<string>();
  spec.resourceClaims?.forEach((claim, i) => {
    const at = `${path}[${i}]`;
    if (owner.kind === "Pod" && owner.isMirror) {
      errors.push(fieldForbidden("", "static pods do not support resource claims"));
      return;
    }
    const { name, resourceClaimName, resourceClaimTemplateName } = claim;
    if (!name) errors.push(fieldRequired(`${at}.name`));
    else if (names.has(name)) errors.push(fieldDuplicate(`${at}.name`, name));
    else validateDnsLabel(errors, name, `${at}.name`);
    names.add(name);
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined)
      errors.push(
        fieldInvalid(
          at,
          claim,
          "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified",
        ),
      );
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined)
      errors.push(
        fieldInvalid(at, claim, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"),
      );
    for (const field of ["resourceClaimName", "resourceClaimTemplateName"] as const) {
      const reference = claim[field];
      if (reference !== undefined) addInvalid(errors, reference, isDnsSubdomain(reference), `${at}.${field}`);
    }
  });
}
