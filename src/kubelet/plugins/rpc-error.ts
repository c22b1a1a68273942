/** gRPC's codes, in the words of Go's messages. */
const codeNames = [
  ...["OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists"],
  ...[
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
  ],
  ...["Internal", "Unavailable", "DataLoss", "Unauthenticated"],
];

/** What a plugin answered, or that it did not. The message reads as that of Go's gRPC. */
export class RpcError extends Error {
  override name = "RpcError";
  readonly code: string;
  constructor(code: number, details: string) {
    const name = codeNames[code] ?? "Unknown";
    super(`rpc error: code = ${name} desc = ${details}`);
    this.code = name;
  }

  /**
   * Whether the plugin has done with the call: nothing of it goes on. Otherwise it may still come true.
   * As `isFinalError` upstream.
   */
  get isFinal(): boolean {
    return !["Canceled", "DeadlineExceeded", "Unavailable", "ResourceExhausted", "Aborted"].includes(
      this.code,
    );
  }
}
