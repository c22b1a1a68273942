import type { RequestOptions } from "../../client/index.ts";
import {
  badRequest,
  type FieldError,
  fieldNotSupported,
  invalid,
  validateFieldManager,
} from "../../machinery/index.ts";
import { parameter, type Query } from "../context.ts";

const noOptions: RequestOptions = Object.freeze({});

/** Which options type a verb has, for messages. */
const optionKinds: Record<string, string> = {
  create: "CreateOptions",
  update: "UpdateOptions",
  patch: "PatchOptions",
  delete: "DeleteOptions",
  deletecollection: "DeleteOptions",
};

/** The query parameters that the verbs know. Throws a 400 for what is no number, a 422 for values that are not allowed. */
export function queryOptions(query: Query | undefined, verb: string): RequestOptions {
  if (!query) return noOptions;
  const options: RequestOptions = {};
  for (const name of [
    "labelSelector",
    "fieldSelector",
    "resourceVersion",
    "continue",
    "fieldManager",
  ] as const) {
    const value = parameter(query, name);
    if (value) options[name] = value;
  }
  const match = parameter(query, "resourceVersionMatch");
  if (match) options.resourceVersionMatch = match as RequestOptions["resourceVersionMatch"];
  const limit = integer(query, "limit");
  if (limit !== undefined) {
    if (limit < 0) throw badRequest("limit must not be negative");
    options.limit = limit;
  }
  const force = parameter(query, "force");
  if (force !== undefined) options.force = force === "true" || force === "1";
  const errors = writeOptions(query, options, verb);
  if (errors.length > 0) {
    throw invalid({ group: "meta.k8s.io", kind: optionKinds[verb] ?? "ListOptions" }, "", errors);
  }
  return options;
}

function writeOptions(query: Query, options: RequestOptions, verb: string): FieldError[] {
  const errors: FieldError[] = [];
  const dryRun = list(query, "dryRun").filter((value) => value !== "");
  if (dryRun.length > 0) {
    if (dryRun.some((value) => value !== "All")) errors.push(fieldNotSupported("dryRun", dryRun, ["All"]));
    options.dryRun = dryRun;
  }
  const validation = parameter(query, "fieldValidation");
  if (validation) {
    if (validation !== "Ignore" && validation !== "Warn" && validation !== "Strict") {
      errors.push(fieldNotSupported("fieldValidation", validation, ["", "Ignore", "Strict", "Warn"]));
    } else options.fieldValidation = validation;
  }
  if (options.fieldManager) errors.push(...validateFieldManager(options.fieldManager, "fieldManager"));
  if (verb === "delete" || verb === "deletecollection") deleteOptions(query, options, errors);
  return errors;
}

function deleteOptions(query: Query, options: RequestOptions, errors: FieldError[]): void {
  const seconds = integer(query, "gracePeriodSeconds");
  if (seconds !== undefined) options.gracePeriodSeconds = seconds;
  const orphan = parameter(query, "orphanDependents");
  if (orphan !== undefined && orphan !== "")
    options.propagationPolicy = orphan === "true" ? "Orphan" : "Background";
  const policy = parameter(query, "propagationPolicy");
  if (!policy) return;
  if (policy !== "Orphan" && policy !== "Background" && policy !== "Foreground") {
    errors.push(
      fieldNotSupported("propagationPolicy", policy, ["Foreground", "Background", "Orphan", "nil"]),
    );
  } else options.propagationPolicy = policy;
}

export function integer(query: Query | undefined, name: string): number | undefined {
  const text = parameter(query, name);
  if (text === undefined || text === "") return undefined;
  const value = /^[-+]?\d{1,18}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw badRequest(`${name}: ${JSON.stringify(text)} is not an integer`);
  return value;
}

export function flag(query: Query | undefined, name: string): boolean | undefined {
  const text = parameter(query, name);
  if (text === undefined || text === "") return undefined;
  return text !== "0" && text.toLowerCase() !== "false";
}

function list(query: Query, name: string): readonly string[] {
  const value = query[name];
  return value === undefined ? [] : typeof value === "string" ? [value] : value;
}
