import type { ServiceError, StatusObject } from "@grpc/grpc-js";
import { RuntimeError, type RuntimeErrorReason } from "../contract.ts";

/** gRPC's numbers, so that telling them apart does not load gRPC. */
export const statusCode = {
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

const codes: Partial<Record<RuntimeErrorReason, number>> = {
  NotFound: statusCode.notFound,
  InvalidArgument: statusCode.invalidArgument,
  InvalidImageName: statusCode.invalidArgument,
  DeadlineExceeded: statusCode.deadlineExceeded,
  Unsupported: statusCode.unimplemented,
  Internal: statusCode.internal,
};

/** The kubelet knows it by the beginning of the message. As cri-api's `ErrRegistryUnavailable`. */
const registryUnavailable = "RegistryUnavailable";

export function toStatus(error: unknown): Pick<StatusObject, "code" | "details"> {
  if (!(error instanceof RuntimeError)) {
    return { code: statusCode.unknown, details: error instanceof Error ? error.message : String(error) };
  }
  const prefix = error.reason === registryUnavailable ? `${registryUnavailable}: ` : "";
  return { code: codes[error.reason] ?? statusCode.unknown, details: prefix + error.message };
}

/** `otherwise` is what a failure of this call means to the kubelet. */
export function fromStatus(error: unknown, otherwise: RuntimeErrorReason): RuntimeError {
  const { code, details = String(error) } = error as Partial<ServiceError>;
  const failure = (reason: RuntimeErrorReason) => new RuntimeError(reason, details, { cause: error });
  if (details.startsWith(registryUnavailable)) return failure(registryUnavailable);
  switch (code) {
    case statusCode.notFound:
      // A registry that has no such image is a failed pull, not a container that went away.
      return failure(otherwise === "ErrImagePull" ? otherwise : "NotFound");
    case statusCode.invalidArgument:
      return failure(otherwise === "Internal" ? "InvalidArgument" : otherwise);
    case statusCode.deadlineExceeded:
      return failure("DeadlineExceeded");
    case statusCode.unimplemented:
      return failure("Unsupported");
    default:
      return failure(otherwise);
  }
}

export const isUnimplemented = (error: unknown) =>
  (error as Partial<ServiceError>)?.code === statusCode.unimplemented;

/** Undefined for what the engine does not know. */
export async function ignoringNotFound<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if ((error as Partial<ServiceError>).code === statusCode.notFound) return undefined;
    throw error;
  }
}
