import {
  type FieldError,
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  isQualifiedName,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import { quantityOf } from "../../../../validation/quantities.ts";
import { addInvalid, type FieldErrors, validateDnsLabel } from "../../../../validation/values.ts";
import {
  canExceedRequest,
  isContainerResource,
  isExtendedResource,
  isHugePages,
  isIntegerResource,
  isNativeResource,
  isPodLevelResource,
  isStandardResource,
} from "../resource-names.ts";
import { containerLimits, containerRequests } from "../resources.ts";
import type { SpecContext } from "./context.ts";

type NameCheck = (errors: FieldErrors, name: string, path: string) => void;

export const validateContainerResources = (
  errors: FieldErrors,
  resources: corev1.ResourceRequirements | undefined,
  claimNames: ReadonlySet<string>,
  path: string,
): void => {
  if (resources) validateRequirements(errors, resources, validateContainerResourceName, claimNames, path);
};

function validateRequirements(
  errors: FieldErrors,
  { limits, requests, claims }: corev1.ResourceRequirements,
  validateName: NameCheck,
  claimNames: ReadonlySet<string>,
  path: string,
): void {
  let hasHugePages = false;
  let hasCpuOrMemory = false;
  const validateAmount = (name: string, amount: string, at: string) => {
    validateName(errors, name, at);
    validateResourceAmount(errors, name, amount, at);
    if (isHugePages(name)) {
      hasHugePages = true;
      if (!isMultipleOfPage(name, amount))
        errors.push(fieldInvalid(at, amount, `${amount} is not positive integer multiple of ${name}`));
    }
    if (name === "cpu" || name === "memory") hasCpuOrMemory = true;
  };
  for (const name in limits) validateAmount(name, limits[name]!, `${path}.limits[${name}]`);
  for (const name in requests) {
    validateAmount(name, requests[name]!, `${path}.requests[${name}]`);
    validateRequestAgainstLimit(errors, name, requests[name]!, limits?.[name], path);
  }
  if (hasHugePages && !hasCpuOrMemory) errors.push(fieldForbidden(path, "HugePages require cpu or memory"));
  validateClaims(errors, claims, claimNames, `${path}.claims`);
}

function validateRequestAgainstLimit(
  errors: FieldErrors,
  name: string,
  request: string,
  limit: string | undefined,
  path: string,
): void {
  const isOvercommittable = canExceedRequest(name);
  if (limit === undefined) {
    if (!isOvercommittable)
      errors.push(fieldRequired(`${path}.limits`, "Limit must be set for non overcommitable resources"));
    return;
  }
  if (request === limit) return;
  const order = quantityOf(request).compare(quantityOf(limit));
  if (order !== 0 && !isOvercommittable)
    errors.push(fieldInvalid(`${path}.requests`, request, `must be equal to ${name} limit of ${limit}`));
  else if (order > 0)
    errors.push(
      fieldInvalid(`${path}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`),
    );
}

/** Not negative; whole, for what comes in pieces. */
export function validateResourceAmount(
  errors: FieldErrors,
  name: string,
  amount: string,
  path: string,
): void {
  const quantity = quantityOf(amount);
  if (quantity.sign < 0) errors.push(fieldInvalid(path, amount, "must be greater than or equal to 0"));
  if (isIntegerResource(name) && quantity.milliValue() % 1000 !== 0)
    errors.push(fieldInvalid(path, amount, "must be an integer"));
}

function isMultipleOfPage(name: string, amount: string): boolean {
  let page: number;
  try {
    page = quantityOf(name.slice("hugepages-".length)).milliValue();
  } catch {
    return false;
  }
  if (page <= 0 || page % 1000 !== 0) return false;
  return quantityOf(amount).value() % (page / 1000) === 0;
}

export function validateResourceName(errors: FieldErrors, name: string, path: string): void {
  const messages = isQualifiedName(name);
  if (messages.length > 0) addInvalid(errors, name, messages, path);
  else if (!name.includes("/") && !isStandardResource(name))
    errors.push(fieldInvalid(path, name, "must be a standard resource type or fully qualified"));
}

export function validateContainerResourceName(errors: FieldErrors, name: string, path: string): void {
  if (name === "cpu" || name === "memory") return;
  validateResourceName(errors, name, path);
  if (isContainerResource(name)) return;
  if (!name.includes("/"))
    errors.push(fieldInvalid(path, name, "must be a standard resource for containers"));
  else if (!isNativeResource(name) && !isExtendedResource(name))
    errors.push(fieldInvalid(path, name, "doesn't follow extended resource name standard"));
}

const podLevelResources = ["cpu", "hugepages-", "memory"];

function validatePodResourceName(errors: FieldErrors, name: string, path: string): void {
  if (isPodLevelResource(name)) return;
  const before = errors.length;
  validateResourceName(errors, name, path);
  if (errors.length === before) errors.push(fieldNotSupported(path, name, podLevelResources));
}

function validateClaims(
  errors: FieldErrors,
  claims: readonly corev1.ResourceClaim[] | undefined,
  claimNames: ReadonlySet<string>,
  path: string,
): void {
  if (!claims?.length) return;
  const seen = new Set<string>();
  claims.forEach(({ name, request }, i) => {
    const at = `${path}[${i}]`;
    if (!name) {
      errors.push(fieldRequired(at));
      return;
    }
    if (seen.has(name)) {
      errors.push(fieldDuplicate(at, name));
    } else {
      const key = request ? `${name}/${request}` : name;
      if (request) validateDnsLabel(errors, request, `${at}.request`);
      if (seen.has(key)) errors.push(fieldDuplicate(at, key));
      else if (!request)
        for (const other of seen) if (other.startsWith(`${name}/`)) errors.push(fieldDuplicate(at, name));
      seen.add(key);
    }
    if (!claimNames.has(name)) errors.push(unknownClaim(at, name, claimNames));
  });
}

const unknownClaim = (path: string, name: string, claimNames: ReadonlySet<string>): FieldError => ({
  reason: "FieldValueNotFound",
  message: `Not found: ${JSON.stringify(name)}: must be one of the names in pod.spec.resourceClaims${
    claimNames.size === 0 ? " which is empty" : `: ${[...claimNames].sort().join(", ")}`
  }`,
  field: path,
});

/** `spec.resources`: the pod's own, over those of its containers. */
export function validatePodLevelResources(
  errors: FieldErrors,
  { spec, claimNames }: SpecContext,
  path: string,
): void {
  const { resources } = spec;
  if (!resources) return;
  if (spec.os?.name === "windows") {
    errors.push(fieldForbidden(path, "may not be set for a windows pod"));
    return;
  }
  if (resources.claims !== undefined)
    errors.push(fieldForbidden(`${path}.claims`, "claims may not be set for Resources at pod-level"));
  validateRequirements(errors, resources, validatePodResourceName, claimNames, path);
  validateConsistency(errors, spec, resources, path);
}

function validateConsistency(
  errors: FieldErrors,
  spec: corev1.PodSpec,
  { requests, limits }: corev1.ResourceRequirements,
  path: string,
): void {
  const requested = containerRequests(spec);
  for (const name in requested) {
    const podRequest = requests?.[name];
    if (podRequest !== undefined && requested[name]!.compare(quantityOf(podRequest)) > 0)
      errors.push(
        fieldInvalid(
          `${path}.requests[${name}]`,
          podRequest,
          `must be greater than or equal to aggregate container requests of ${requested[name]}`,
        ),
      );
  }
  const limited = containerLimits(spec);
  for (const name in limited) {
    const podLimit = limits?.[name];
    if (isHugePages(name) && podLimit !== undefined && limited[name]!.compare(quantityOf(podLimit)) > 0)
      errors.push(
        fieldInvalid(
          `${path}.limits[${name}]`,
          podLimit,
          `must be greater than or equal to aggregate container limits of ${limited[name]}`,
        ),
      );
  }
  spec.containers?.forEach((container, i) => {
    for (const name in container.resources?.limits) {
      const podLimit = limits?.[name];
      const limit = container.resources!.limits![name]!;
      if (podLimit !== undefined && quantityOf(limit).compare(quantityOf(podLimit)) > 0)
        errors.push(
          fieldInvalid(
            `${path}.containers[${i}][${name}].limits`,
            limit,
            `must be less than or equal to pod limits of ${podLimit}`,
          ),
        );
    }
  });
}
