import { isDnsLabel, isLabelValue, type ObjectMeta } from "../../../../machinery/index.ts";
import type { corev1 } from "../../../index.ts";
import { quantityOf } from "../../../validation/quantities.ts";
import { addressWarnings } from "../../../validation/values.ts";
import { deprecatedNodeLabel, termWarnings } from "../node/deprecated-labels.ts";
import { portWarnings } from "./port-warnings.ts";
import { unsupportedInPod } from "./unsupported.ts";
import {
  appArmorAnnotation,
  seccompContainerAnnotation,
  seccompPodAnnotation,
} from "./validation/annotations.ts";
import { type AnyContainer, eachContainer } from "./validation/context.ts";
import { volumeWarnings } from "./volume-warnings.ts";

/** Of a new pod; people seldom change pods themselves. */
export function podWarnings(pod: corev1.Pod, old: corev1.Pod | undefined): string[] {
  if (old) return [];
  const messages = isDnsLabel(pod.metadata.name ?? "");
  const name =
    messages.length === 0
      ? []
      : [
          `metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [${messages.join(" ")}]`,
        ];
  return [...name, ...specWarnings(pod.spec!, pod.metadata, "")];
}

/** Of a workload whose pods carry its name, and of its template at `spec.template`. */
export function templateWarnings(
  name: string | undefined,
  template: corev1.PodTemplateSpec,
  at = "spec.template",
): string[] {
  const messages = name === undefined ? [] : isDnsLabel(name);
  const ofName =
    messages.length === 0
      ? []
      : [
          `metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [${messages.join(" ")}]`,
        ];
  return [...ofName, ...specWarnings(template.spec, template.metadata ?? {}, `${at}.`)];
}

const deprecatedAnnotations: Readonly<Record<string, string>> = {
  "scheduler.alpha.kubernetes.io/critical-pod":
    'non-functional in v1.16+; use the "priorityClassName" field instead',
  "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
  "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
};

/** As `pkg/api/pod/warnings.go`, and what is not honoured here. `prefix` is the path of the template, with a dot. */
function specWarnings(spec: corev1.PodSpec, { annotations }: ObjectMeta, prefix: string): string[] {
  const path = `${prefix}spec`;
  const warnings: string[] = [];
  addNodeSelectionWarnings(warnings, spec, path);
  for (const key in annotations) {
    if (deprecatedAnnotations[key])
      warnings.push(`${prefix}metadata.annotations[${key}]: ${deprecatedAnnotations[key]}`);
  }
  warnings.push(...volumeWarnings(spec.volumes ?? [], `${path}.volumes`));
  addRepetitionWarnings(warnings, spec, path);
  addFractionWarnings(warnings, spec.overhead, `${path}.overhead`);
  if (annotations?.[seccompPodAnnotation] !== undefined && !spec.securityContext?.seccompProfile)
    warnings.push(
      `${prefix}metadata.annotations[${seccompPodAnnotation}]: non-functional in v1.27+; use the "seccompProfile" field instead`,
    );
  eachContainer(spec, path, (container, at) => {
    addProfileWarnings(warnings, container, annotations, prefix);
    addFractionWarnings(warnings, container.resources?.limits, `${at}.resources.limits`);
    addFractionWarnings(warnings, container.resources?.requests, `${at}.resources.requests`);
    addEnvWarnings(warnings, container.env ?? [], `${at}.env`);
  });
  warnings.push(...portWarnings(spec, path));
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0)
    warnings.push(
      `${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`,
    );
  addPodAffinityWarnings(warnings, spec.affinity, `${path}.affinity`);
  spec.dnsConfig?.nameservers?.forEach((address, i) => {
    warnings.push(...addressWarnings(address, `${path}.dnsConfig.nameservers[${i}]`));
  });
  spec.hostAliases?.forEach(({ ip = "" }, i) => {
    warnings.push(...addressWarnings(ip, `${path}.hostAliases[${i}].ip`));
  });
  warnings.push(...unsupportedInPod(spec, path).warnings);
  return warnings;
}

function addNodeSelectionWarnings(warnings: string[], spec: corev1.PodSpec, path: string): void {
  for (const key in spec.nodeSelector) {
    const message = deprecatedNodeLabel(key);
    if (message) warnings.push(`${path}.nodeSelector[${key}]: ${message}`);
  }
  const affinity = spec.affinity?.nodeAffinity;
  const at = `${path}.affinity.nodeAffinity`;
  affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms?.forEach((term, i) => {
    warnings.push(
      ...termWarnings(term, `${at}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[${i}]`),
    );
  });
  affinity?.preferredDuringSchedulingIgnoredDuringExecution?.forEach(({ preference }, i) => {
    const term = `${at}.preferredDuringSchedulingIgnoredDuringExecution[${i}].preference`;
    if (preference) warnings.push(...termWarnings(preference, term));
    addValueWarnings(warnings, preference, term);
  });
  spec.topologySpreadConstraints?.forEach(({ topologyKey, labelSelector }, i) => {
    const constraint = `${path}.topologySpreadConstraints[${i}]`;
    const message = deprecatedNodeLabel(topologyKey);
    if (message) warnings.push(`${constraint}.topologyKey: ${topologyKey} is ${message}`);
    if (!labelSelector) warnings.push(`${constraint}.labelSelector: ${nullSelector}`);
  });
}

const nullSelector = "a null labelSelector results in matching no pod";

function addValueWarnings(warnings: string[], term: corev1.NodeSelectorTerm | undefined, path: string): void {
  term?.matchExpressions?.forEach(({ values }, i) => {
    values?.forEach((value, v) => {
      for (const message of isLabelValue(value))
        warnings.push(`${path}.matchExpressions[${i}].values[${v}]: ${value} is invalid, ${message}`);
    });
  });
}

function addRepetitionWarnings(warnings: string[], spec: corev1.PodSpec, path: string): void {
  const addresses = new Set<string>();
  spec.hostAliases?.forEach(({ ip = "" }, i) => {
    if (addresses.has(ip)) warnings.push(`${path}.hostAliases[${i}].ip: duplicate ip ${JSON.stringify(ip)}`);
    addresses.add(ip);
  });
  const secrets = new Set<string>();
  spec.imagePullSecrets?.forEach(({ name = "" }, i) => {
    if (secrets.has(name))
      warnings.push(`${path}.imagePullSecrets[${i}].name: duplicate name ${JSON.stringify(name)}`);
    secrets.add(name);
  });
  spec.imagePullSecrets?.forEach(({ name }, i) => {
    if (!name) warnings.push(`${path}.imagePullSecrets[${i}].name: invalid empty name ""`);
  });
}

/** There are no fractions of a byte. */
function addFractionWarnings(
  warnings: string[],
  list: Readonly<Record<string, string>> | undefined,
  path: string,
): void {
  if (!list) return;
  for (const name of ["memory", "ephemeral-storage"]) {
    const amount = list[name];
    if (amount !== undefined && quantityOf(amount).milliValue() % 1000 !== 0)
      warnings.push(
        `${path}[${name}]: fractional byte value ${JSON.stringify(amount)} is invalid, must be an integer`,
      );
  }
}

function addProfileWarnings(
  warnings: string[],
  { name, securityContext }: AnyContainer,
  annotations: Readonly<Record<string, string>> | undefined,
  prefix: string,
): void {
  const seccomp = seccompContainerAnnotation + name;
  if (annotations?.[seccomp] !== undefined && !securityContext?.seccompProfile)
    warnings.push(
      `${prefix}metadata.annotations[${seccomp}]: non-functional in v1.27+; use the "seccompProfile" field instead`,
    );
  const appArmor = appArmorAnnotation + name;
  if (annotations?.[appArmor] !== undefined && !securityContext?.appArmorProfile)
    warnings.push(
      `${prefix}metadata.annotations[${appArmor}]: deprecated since v1.30; use the "appArmorProfile" field instead`,
    );
}

/** A variable that is defined again, and does not build on what it was. */
function addEnvWarnings(warnings: string[], env: readonly corev1.EnvVar[], path: string): void {
  if (env.length < 2) return;
  const names = new Set<string>();
  env.forEach(({ name, value = "", valueFrom }, i) => {
    if (!names.has(name)) {
      names.add(name);
      return;
    }
    const reference = `$(${name})`;
    if (valueFrom || value === reference || !value.includes(reference))
      warnings.push(
        `${path}[${i}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`,
      );
  });
}

function addPodAffinityWarnings(
  warnings: string[],
  affinity: corev1.Affinity | undefined,
  path: string,
): void {
  for (const field of ["podAffinity", "podAntiAffinity"] as const) {
    affinity?.[field]?.requiredDuringSchedulingIgnoredDuringExecution?.forEach((term, i) => {
      if (!term.labelSelector)
        warnings.push(
          `${path}.${field}.requiredDuringSchedulingIgnoredDuringExecution[${i}].labelSelector: ${nullSelector}`,
        );
    });
    affinity?.[field]?.preferredDuringSchedulingIgnoredDuringExecution?.forEach(({ podAffinityTerm }, i) => {
      if (!podAffinityTerm?.labelSelector)
        warnings.push(
          `${path}.${field}.preferredDuringSchedulingIgnoredDuringExecution[${i}].podAffinityTerm.labelSelector: ${nullSelector}`,
        );
    });
  }
}
