import type { GroupVersionKind, GroupVersionResource, ListMeta } from "./meta.ts";

/** `status.reason`, as `k8s.io/apimachinery/pkg/apis/meta/v1.StatusReason`. */
export type StatusReason =
  | "BadRequest"
  | "Unauthorized"
  | "Forbidden"
  | "NotFound"
  | "AlreadyExists"
  | "Conflict"
  | "Gone"
  | "Expired"
  | "Invalid"
  | "MethodNotAllowed"
  | "NotAcceptable"
  | "RequestEntityTooLarge"
  | "UnsupportedMediaType"
  | "TooManyRequests"
  | "InternalError"
  | "ServiceUnavailable"
  | "ServerTimeout"
  | "Timeout"
  | "StorageReadError";

/** One thing wrong with one field. */
export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

/** A `Status` object: the answer to a request that failed. */
export interface Status {
  kind: "Status";
  apiVersion: "v1";
  metadata: ListMeta;
  status: "Failure" | "Success";
  message?: string;
  reason?: StatusReason;
  details?: {
    name?: string;
    group?: string;
    kind?: string;
    uid?: string;
    causes?: StatusCause[];
    retryAfterSeconds?: number;
  };
  code?: number;
}

/** A failure that a client sees as a Kubernetes Status. */
export class StatusError extends Error {
  override name = "StatusError";
  readonly status: Status;

  constructor(code: number, reason: StatusReason | undefined, message: string, details?: Status["details"]) {
    super(message);
    this.status = {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message,
      ...(reason && { reason }),
      ...(details && { details }),
      code,
    };
  }

  get code(): number {
    return this.status.code!;
  }
  get reason(): StatusReason | undefined {
    return this.status.reason;
  }

  /** A Status received over the wire, as the error it stands for. */
  static from(status: Status): StatusError {
    return new StatusError(
      status.code ?? 500,
      status.reason,
      status.message ?? "unknown failure",
      status.details,
    );
  }
}

type Resource = Pick<GroupVersionResource, "group" | "resource">;

/** `pods`, or `deployments.apps`: how messages name a resource. */
const qualified = ({ group, resource }: Resource) => (group === "" ? resource : `${resource}.${group}`);
const detailsOf = ({ group, resource }: Resource, name: string) => ({
  ...(name && { name }),
  ...(group && { group }),
  kind: resource,
});

/*
 * The catalogue of failures. Codes, reasons and the wording that clients match on are those of
 * `k8s.io/apimachinery/pkg/api/errors`.
 */

export const badRequest = (message: string) => new StatusError(400, "BadRequest", message);

export const unauthorized = (message = "Unauthorized") => new StatusError(401, "Unauthorized", message);

export const forbidden = (resource: Resource, name: string, why: string) =>
  new StatusError(
    403,
    "Forbidden",
    resource.resource === ""
      ? `forbidden: ${why}`
      : name
        ? `${qualified(resource)} "${name}" is forbidden: ${why}`
        : `${qualified(resource)} is forbidden: ${why}`,
    detailsOf(resource, name),
  );

export const notFound = (resource: Resource, name: string) =>
  new StatusError(404, "NotFound", `${qualified(resource)} "${name}" not found`, detailsOf(resource, name));

/** No such path or resource type. */
export const noSuchResource = () =>
  new StatusError(404, "NotFound", "the server could not find the requested resource", {});

export const alreadyExists = (resource: Resource, name: string) =>
  new StatusError(
    409,
    "AlreadyExists",
    `${qualified(resource)} "${name}" already exists`,
    detailsOf(resource, name),
  );

export const conflict = (resource: Resource, name: string, why: string) =>
  new StatusError(
    409,
    "Conflict",
    `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`,
    detailsOf(resource, name),
  );

/** The text of the conflict that optimistic concurrency ends in; clients retry on the reason. */
export const staleResourceVersion =
  "the object has been modified; please apply your changes to the latest version and try again";

/** The requested revision has been compacted: a watch or a paged list must start anew. */
export const resourceExpired = (message: string) => new StatusError(410, "Expired", message);

export const invalid = (
  kind: Pick<GroupVersionKind, "group" | "kind">,
  name: string,
  causes: readonly StatusCause[],
) => {
  const each = causes.map((cause) => `${cause.field}: ${cause.message}`);
  const all = each.length === 1 ? each[0] : `[${each.join(", ")}]`;
  const qualifiedKind = kind.group ? `${kind.kind}.${kind.group}` : kind.kind;
  return new StatusError(422, "Invalid", `${qualifiedKind} "${name}" is invalid: ${all}`, {
    ...(name && { name }),
    ...(kind.group && { group: kind.group }),
    kind: kind.kind,
    causes: [...causes],
  });
};

export const methodNotAllowed = (message: string) => new StatusError(405, "MethodNotAllowed", message);

export const notAcceptable = (supported: readonly string[]) =>
  new StatusError(
    406,
    "NotAcceptable",
    `only the following media types are accepted: ${supported.join(", ")}`,
  );

export const unsupportedMediaType = (supported: readonly string[]) =>
  new StatusError(
    415,
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${supported.join(", ")}`,
  );

export const requestEntityTooLarge = (message: string) =>
  new StatusError(413, "RequestEntityTooLarge", message);

export const tooManyRequests = (message: string, retryAfterSeconds: number, causes?: StatusCause[]) =>
  new StatusError(429, "TooManyRequests", message, {
    retryAfterSeconds,
    ...(causes && { causes }),
  });

export const internalError = (message: string) =>
  new StatusError(500, "InternalError", `Internal error occurred: ${message}`, {
    causes: [{ message }],
  });

export const serviceUnavailable = (message: string) => new StatusError(503, "ServiceUnavailable", message);

export const timeout = (message: string) => new StatusError(504, "Timeout", `Timeout: ${message}`);

export function isStatus(error: unknown, reason: StatusReason): error is StatusError {
  return error instanceof StatusError && error.reason === reason;
}
