import {
  type FieldError,
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldRequired,
  isQualifiedName,
} from "../../../machinery/index.ts";
import { column, nameColumn } from "../../columns.ts";
import type { corev1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import { quantityOf } from "../../validation/quantities.ts";
import { addInvalid, type FieldErrors } from "../../validation/values.ts";
import { canExceedRequest } from "./pod/resource-names.ts";
import { validateContainerResourceName, validateResourceName } from "./pod/validation/resources.ts";

type Item = corev1.LimitRangeItem;

/** Counterpart upstream: `pkg/registry/core/limitrange`. */
export const limitRange: Kind<corev1.LimitRange> = {
  group: "",
  version: "v1",
  kind: "LimitRange",
  resource: "limitranges",
  singular: "limitrange",
  shortNames: ["limits"],
  categories: [],
  scope: "Namespaced",
  schema: "core/v1.LimitRange",
  hasStatus: false,
  // As upstream prints kinds that have no columns of their own.
  columns: [
    nameColumn,
    column<corev1.LimitRange>(
      "Created At",
      "date",
      "When it was made.",
      ({ metadata }) => metadata.creationTimestamp ?? "",
    ),
  ] as Kind<corev1.LimitRange>["columns"],
  strategy: {
    tracksGeneration: false,
    applyDefaults(object) {
      object.spec ??= { limits: [] };
      for (const item of object.spec.limits ?? []) if (item.type === "Container") defaultItem(item);
    },
    validate: ({ spec }) => {
      const errors: FieldErrors = [];
      const types = new Set<string>();
      (spec.limits ?? []).forEach((item, i) => {
        validateItem(errors, item, types, `spec.limits[${i}]`);
      });
      return errors;
    },
  },
};

/** A maximum is also the default limit, a default limit the default request, and so is a minimum. */
function defaultItem(item: Item): void {
  item.default = { ...item.max, ...item.default };
  item.defaultRequest = { ...item.min, ...item.default, ...item.defaultRequest };
  if (Object.keys(item.default).length === 0) delete item.default;
  if (Object.keys(item.defaultRequest).length === 0) delete item.defaultRequest;
}

const standardTypes = ["Pod", "Container", "PersistentVolumeClaim"];

function validateItem(errors: FieldErrors, item: Item, types: Set<string>, path: string): void {
  const { type } = item;
  const typeErrors = isQualifiedName(type);
  addInvalid(errors, type, typeErrors, `${path}.type`);
  if (typeErrors.length === 0 && !type.includes("/") && !standardTypes.includes(type))
    errors.push(fieldInvalid(`${path}.type`, type, "must be a standard limit type or fully qualified"));
  if (types.has(type)) errors.push(fieldDuplicate(`${path}.type`, type));
  types.add(type);

  const validateName =
    type === "Pod" || type === "Container" ? validateContainerResourceName : validateResourceName;
  const validateNames = (field: "max" | "min" | "default" | "defaultRequest" | "maxLimitRequestRatio") => {
    for (const name in item[field]) validateName(errors, name, `${path}.${field}[${name}]`);
  };
  validateNames("max");
  validateNames("min");
  if (type === "Pod") {
    for (const field of ["default", "defaultRequest"] as const)
      if (Object.keys(item[field] ?? {}).length > 0)
        errors.push(fieldForbidden(`${path}.${field}`, "may not be specified when `type` is 'Pod'"));
  } else {
    validateNames("default");
    validateNames("defaultRequest");
  }
  if (type === "PersistentVolumeClaim" && !item.min?.storage && !item.max?.storage)
    errors.push(
      fieldRequired(
        `${path}.limits`,
        "either minimum or maximum storage value is required, but neither was provided",
      ),
    );
  validateNames("maxLimitRequestRatio");
  errors.push(...amountErrors(item, path));
}

function amountErrors(item: Item, path: string): FieldError[] {
  const errors: FieldErrors = [];
  const { type, max = {}, min = {}, maxLimitRequestRatio: ratios = {} } = item;
  const defaults = type === "Pod" ? {} : (item.default ?? {});
  const requests = type === "Pod" ? {} : (item.defaultRequest ?? {});
  const names = new Set([max, min, defaults, requests, ratios].flatMap((list) => Object.keys(list)));
  const exceeds = (a: string | undefined, b: string | undefined) =>
    a !== undefined && b !== undefined && quantityOf(a).compare(quantityOf(b)) > 0;
  for (const name of names) {
    const [most, least, limit, request] = [max[name], min[name], defaults[name], requests[name]];
    const wrong = (field: string, value: string | undefined, why: string) =>
      errors.push(fieldInvalid(`${path}.${field}[${name}]`, value, why));
    if (exceeds(least, most)) wrong("min", least, `min value ${least} is greater than max value ${most}`);
    if (exceeds(least, request))
      wrong("defaultRequest", request, `min value ${least} is greater than default request value ${request}`);
    if (exceeds(request, most))
      wrong("defaultRequest", request, `default request value ${request} is greater than max value ${most}`);
    if (exceeds(request, limit))
      wrong(
        "defaultRequest",
        request,
        `default request value ${request} is greater than default limit value ${limit}`,
      );
    if (exceeds(least, limit))
      wrong("default", least, `min value ${least} is greater than default value ${limit}`);
    if (exceeds(limit, most))
      wrong("default", most, `default value ${limit} is greater than max value ${most}`);
    ratioErrors(ratios[name], least, most, (why) => wrong("maxLimitRequestRatio", ratios[name], why));
    const differ = limit !== undefined && request !== undefined && limit !== request;
    if (differ && !canExceedRequest(name))
      wrong(
        "defaultRequest",
        request,
        `default value ${limit} must equal to defaultRequest value ${request} in ${name}`,
      );
  }
  return errors;
}

function ratioErrors(
  ratio: string | undefined,
  min: string | undefined,
  max: string | undefined,
  wrong: (why: string) => void,
): void {
  if (ratio === undefined) return;
  const value = quantityOf(ratio).milliValue() / 1000;
  if (value < 1) wrong(`ratio ${ratio} is less than 1`);
  if (min === undefined || max === undefined) return;
  const highest = quantityOf(max).milliValue() / quantityOf(min).milliValue();
  if (value > highest) wrong(`ratio ${ratio} is greater than max/min = ${highest.toFixed(6)}`);
}
