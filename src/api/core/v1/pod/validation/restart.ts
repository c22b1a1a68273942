import {
  fieldDuplicate,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldTooMany,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import type { FieldErrors } from "../../../../validation/values.ts";

const restartPolicies = ["Always", "Never", "OnFailure"];
const ruleActions = ["Restart", "RestartAllContainers"];
const exitCodeOperators = ["In", "NotIn"];
const rulesMax = 20;
const exitCodesMax = 255;

export function validateRestartPolicy(errors: FieldErrors, policy: string | undefined, path: string): void {
  if (!policy) errors.push(fieldRequired(path));
  else if (!restartPolicies.includes(policy))
    errors.push(fieldNotSupported(path, policy, ["Always", "OnFailure", "Never"]));
}

/** A container's own restart policy and its rules. */
export function validateContainerRestart(
  errors: FieldErrors,
  { restartPolicy, restartPolicyRules = [] }: corev1.Container,
  path: string,
): void {
  if (restartPolicy === undefined) {
    if (restartPolicyRules.length === 0) return;
    errors.push(
      fieldRequired(`${path}.restartPolicy`, "must specify restartPolicy when restart rules are used"),
    );
  } else if (!restartPolicies.includes(restartPolicy)) {
    errors.push(fieldNotSupported(`${path}.restartPolicy`, restartPolicy, restartPolicies));
  }
  if (restartPolicyRules.length > rulesMax)
    errors.push(fieldTooMany(`${path}.restartPolicyRules`, restartPolicyRules.length, rulesMax));
  restartPolicyRules.forEach(({ action = "", exitCodes }, i) => {
    const at = `${path}.restartPolicyRules[${i}]`;
    if (!ruleActions.includes(action)) errors.push(fieldNotSupported(`${at}.action`, action, ruleActions));
    if (!exitCodes) {
      errors.push(fieldRequired(`${at}.exitCodes`, "must be specified"));
      return;
    }
    const { operator = "", values = [] } = exitCodes;
    if (!exitCodeOperators.includes(operator))
      errors.push(fieldNotSupported(`${at}.exitCodes.operator`, operator, exitCodeOperators));
    if (values.length > exitCodesMax)
      errors.push(fieldTooMany(`${at}.exitCodes.values`, values.length, exitCodesMax));
  });
}

const resizableResources = ["cpu", "memory"];
const resizePolicies = ["NotRequired", "RestartContainer"];

/** What a change of resources does to a container. Upstream's paths have no index but for duplicates. */
export function validateResizePolicy(
  errors: FieldErrors,
  policies: readonly corev1.ContainerResizePolicy[] | undefined,
  podRestartPolicy: string | undefined,
  path: string,
): void {
  const resources = new Set<string>();
  policies?.forEach(({ resourceName, restartPolicy }, i) => {
    if (resources.has(resourceName)) errors.push(fieldDuplicate(`${path}[${i}]`, resourceName));
    resources.add(resourceName);
    if (!resourceName) errors.push(fieldRequired(path));
    else if (!resizableResources.includes(resourceName))
      errors.push(fieldNotSupported(path, resourceName, resizableResources));
    if (!restartPolicy) errors.push(fieldRequired(path));
    else if (!resizePolicies.includes(restartPolicy))
      errors.push(fieldNotSupported(path, restartPolicy, resizePolicies));
    if (podRestartPolicy === "Never" && restartPolicy !== "NotRequired")
      errors.push(
        fieldInvalid(path, restartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'"),
      );
  });
}
