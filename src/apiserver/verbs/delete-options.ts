import type { RequestOptions } from "../../client/index.ts";
import {
  badRequest,
  type FieldError,
  fieldInvalid,
  fieldNotSupported,
  invalid,
} from "../../machinery/index.ts";

const propagationPolicies = ["Foreground", "Background", "Orphan"] as const;

/**
 * The body of a DELETE, `meta/v1.DeleteOptions`, as the options the verbs know. Throws a 400 for another type,
 * a 422 for values that are not allowed. As `metav1/validation.ValidateDeleteOptions`.
 */
export function deleteOptionsOf(body: unknown): RequestOptions {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw badRequest("the body of a DELETE must be a DeleteOptions object");
  }
  const given = body as Record<string, any>;
  if (given.kind !== undefined && given.kind !== "DeleteOptions") {
    throw badRequest(`the body of a DELETE must be a DeleteOptions object, not a ${given.kind}`);
  }
  requireType(given, "gracePeriodSeconds", Number.isSafeInteger, "int64");
  requireType(given, "orphanDependents", (v) => typeof v === "boolean", "bool");
  requireType(given, "propagationPolicy", (v) => typeof v === "string", "string");
  requireType(given, "preconditions", (v) => typeof v === "object" && !Array.isArray(v), "Preconditions");
  requireType(given, "dryRun", Array.isArray, "[]string");
  const orphan = given.orphanDependents as boolean | null | undefined;
  const errors: FieldError[] = [];
  if (typeof orphan === "boolean" && given.propagationPolicy) {
    errors.push(
      fieldInvalid(
        "propagationPolicy",
        given.propagationPolicy,
        "orphanDependents and deletionPropagation cannot be both set",
      ),
    );
  }
  const policy = given.propagationPolicy ?? undefined;
  if (policy !== undefined && !propagationPolicies.includes(policy)) {
    errors.push(
      fieldNotSupported("propagationPolicy", policy, ["Foreground", "Background", "Orphan", "nil"]),
    );
  }
  if (errors.length > 0) throw invalid({ group: "meta.k8s.io", kind: "DeleteOptions" }, "", errors);
  return {
    ...(given.gracePeriodSeconds != null && { gracePeriodSeconds: given.gracePeriodSeconds }),
    ...(policy && { propagationPolicy: policy }),
    ...(typeof orphan === "boolean" && { propagationPolicy: orphan ? "Orphan" : "Background" }),
    ...(given.preconditions && { preconditions: given.preconditions }),
    ...(given.dryRun?.length > 0 && { dryRun: given.dryRun }),
  };
}

function requireType(body: Record<string, any>, field: string, is: (v: any) => boolean, type: string): void {
  const value = body[field];
  if (value === undefined || value === null || is(value)) return;
  throw badRequest(
    `DeleteOptions in version "v1" cannot be handled as a DeleteOptions: ${field} must be of type ${type}`,
  );
}
