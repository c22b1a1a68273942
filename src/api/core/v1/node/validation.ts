import {
  type FieldError,
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
} from "../../../../machinery/index.ts";
import type { corev1 } from "../../../index.ts";
import { type FieldErrors, validateCIDR } from "../../../validation/values.ts";
import { validateResourceAmount } from "../pod/validation/resources.ts";
import { validateTaints } from "../pod/validation/scheduling.ts";

/** A node, new or changed. */
export function validateNode({ spec = {}, status = {} }: corev1.Node): FieldError[] {
  const errors: FieldErrors = [];
  // Where upstream says it is.
  validateTaints(errors, spec.taints, "metadata.taints");
  for (const list of ["capacity", "allocatable"] as const) {
    for (const name in status[list])
      validateResourceAmount(errors, name, status[list]![name]!, `status.${list}.${name}`);
  }
  spec.podCIDRs?.forEach((cidr, i) => {
    validateCIDR(errors, cidr, `spec.podCIDRs[${i}]`);
  });
  const isIPv6 = (cidr: string) => cidr.includes(":");
  const [first, second, third] = spec.podCIDRs ?? [];
  if (second !== undefined && (third !== undefined || isIPv6(first!) === isIPv6(second)))
    errors.push(
      fieldInvalid("spec.podCIDRs", spec.podCIDRs, "may specify no more than one CIDR for each IP family"),
    );
  return errors;
}

/** What of a node stays once it is set. */
export function validateNodeUpdate(node: corev1.Node, old: corev1.Node): FieldError[] {
  const errors: FieldErrors = [];
  const seen = new Set<string>();
  node.status?.addresses?.forEach((address, i) => {
    const key = `${address.type}/${address.address}`;
    if (seen.has(key)) errors.push(fieldDuplicate(`status.addresses[${i}]`, address));
    seen.add(key);
  });
  const oldCIDRs = old.spec?.podCIDRs ?? [];
  if (oldCIDRs.length > 0 && oldCIDRs.join() !== (node.spec?.podCIDRs ?? []).join())
    errors.push(
      fieldForbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid'),
    );
  const oldProvider = old.spec?.providerID;
  if (oldProvider && oldProvider !== node.spec?.providerID)
    errors.push(
      fieldForbidden("spec.providerID", 'node updates may not change providerID except from "" to valid'),
    );
  if ((node.spec?.externalID ?? "") !== (old.spec?.externalID ?? ""))
    errors.push(fieldForbidden("spec.externalID", "may not be updated"));
  return errors;
}
