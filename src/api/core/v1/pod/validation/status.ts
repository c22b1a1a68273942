import {
  type FieldError,
  fieldForbidden,
  fieldInvalid,
  isDnsSubdomain,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import {
  addInvalid,
  type FieldErrors,
  isDualStack,
  validateImmutable,
  validateIP,
  validateQualifiedName,
} from "../../../../validation/values.ts";
import { isSidecar } from "../resources.ts";
import { validatePodAnnotationUpdate } from "./annotations.ts";

/** What a node's agent (or the scheduler) may not report. */
export function validatePodStatusUpdate(pod: corev1.Pod, old: corev1.Pod): FieldError[] {
  const errors: FieldErrors = [];
  const status = pod.status ?? {};
  const oldStatus = old.status ?? {};
  const spec = old.spec!;
  validatePodAnnotationUpdate(
    errors,
    pod.metadata?.annotations,
    old.metadata?.annotations,
    "metadata.annotations",
  );
  validateConditions(errors, status.conditions, "status.conditions");
  if ((pod.spec?.nodeName ?? "") !== (spec.nodeName ?? ""))
    errors.push(fieldForbidden("status.nodeName", "may not be changed directly"));
  validateNomination(errors, status, oldStatus, spec);
  if ((status.observedGeneration ?? 0) < 0)
    errors.push(
      fieldInvalid("status.observedGeneration", status.observedGeneration, "must be a non-negative integer"),
    );
  validateImmutable(errors, status.qosClass, oldStatus.qosClass, "status.qosClass");
  for (const [list, restarts] of [
    ["containerStatuses", restartRuleOf(spec.containers, spec)],
    ["initContainerStatuses", restartRuleOf(spec.initContainers, spec)],
    ["ephemeralContainerStatuses", () => false],
  ] as const) {
    validateNoResurrection(errors, status[list], oldStatus[list], restarts, `status.${list}`);
  }
  validateAddresses(errors, addressesOf(status.podIPs), addressesOf(oldStatus.podIPs), "status.podIPs");
  const hostIPs = addressesOf(status.hostIPs);
  if (hostIPs.length > 0 && hostIPs[0] !== status.hostIP)
    errors.push(fieldInvalid("status.hostIPs[0].ip", hostIPs[0], "must be equal to `hostIP`"));
  validateAddresses(errors, hostIPs, addressesOf(oldStatus.hostIPs), "status.hostIPs");
  return errors;
}

const addressesOf = (ips: readonly { ip?: string }[] | undefined) => ips?.map(({ ip = "" }) => ip) ?? [];

const systemConditions: readonly string[] = ["PodScheduled", "Ready", "Initialized"];

function validateConditions(
  errors: FieldErrors,
  conditions: readonly corev1.PodCondition[] | undefined,
  path: string,
): void {
  conditions?.forEach(({ type = "", observedGeneration = 0 }, i) => {
    if (observedGeneration < 0)
      errors.push(
        fieldInvalid(
          `${path}[${i}].observedGeneration`,
          observedGeneration,
          "must be a non-negative integer",
        ),
      );
    if (!systemConditions.includes(type)) validateQualifiedName(errors, type, `${path}[${i}].Type`);
  });
}

function validateNomination(
  errors: FieldErrors,
  { nominatedNodeName }: corev1.PodStatus,
  old: corev1.PodStatus,
  spec: corev1.PodSpec,
): void {
  if (!nominatedNodeName || nominatedNodeName === old.nominatedNodeName) return;
  const path = "status.nominatedNodeName";
  addInvalid(errors, nominatedNodeName, isDnsSubdomain(nominatedNodeName), path);
  if (spec.nodeName)
    errors.push(fieldForbidden(path, "may not be set on pods that are already bound to a node"));
}

type RestartRule = (name: string, exitCode: number) => boolean;

/** Whether a container that ended may run again. */
function restartRuleOf(
  containers: readonly corev1.Container[] | undefined,
  spec: corev1.PodSpec,
): RestartRule {
  return (name, exitCode) => {
    if (mayRestartAll(spec)) return true;
    const container = containers?.find((candidate) => candidate.name === name);
    return container !== undefined && shouldRestart(container, spec, exitCode);
  };
}

/**
 * Whether a container that ended with `exitCode` is started again: by its own rules, then its own policy, then the
 * pod's. As `podutil.ContainerShouldRestart`.
 */
export function shouldRestart(container: corev1.Container, spec: corev1.PodSpec, exitCode: number): boolean {
  // Restarting all restarts this one.
  if (matchingAction(container, exitCode) !== undefined) return true;
  if (isSidecar(container)) return true;
  const policy = container.restartPolicy ?? spec.restartPolicy;
  return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
}

/** Whether all of its pod's containers start anew when the container has ended with `exitCode`. */
export const asksToRestartAll = (container: corev1.Container, exitCode: number): boolean =>
  matchingAction(container, exitCode) === "RestartAllContainers";

/** Whether some end of a container restarts all of the pod's. As `podutil.AllContainersCouldRestart`. */
export const mayRestartAll = (spec: corev1.PodSpec): boolean =>
  [...(spec.containers ?? []), ...(spec.initContainers ?? [])].some((container) =>
    container.restartPolicyRules?.some(({ action }) => action === "RestartAllContainers"),
  );

/** What the first rule says that the exit code matches. As `podutil.FindMatchingContainerRestartRule`. */
function matchingAction(container: corev1.Container, exitCode: number): string | undefined {
  return container.restartPolicyRules?.find(({ exitCodes }) => {
    const isListed = exitCodes?.values?.includes(exitCode) ?? false;
    return exitCodes !== undefined && isListed === (exitCodes.operator === "In");
  })?.action;
}

function validateNoResurrection(
  errors: FieldErrors,
  statuses: readonly corev1.ContainerStatus[] | undefined,
  old: readonly corev1.ContainerStatus[] | undefined,
  mayRestart: RestartRule,
  path: string,
): void {
  old?.forEach(({ name, state }, i) => {
    if (!state?.terminated) return;
    const now = statuses?.find((status) => status.name === name);
    if (now && !now.state?.terminated && !mayRestart(name, state.terminated.exitCode))
      errors.push(fieldForbidden(`${path}[${i}].state`, "may not be transitioned to non-terminated state"));
  });
}

function validateAddresses(
  errors: FieldErrors,
  addresses: readonly string[],
  old: readonly string[],
  path: string,
): void {
  addresses.forEach((address, i) => {
    validateIP(errors, address, `${path}[${i}]`, old);
  });
  if (addresses.length > 1 && !isDualStack(addresses))
    errors.push(
      fieldInvalid(
        path,
        addresses.map((ip) => ({ ip })),
        "may specify no more than one IP for each IP family",
      ),
    );
}
