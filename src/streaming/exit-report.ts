import type { ExitStatus } from "../client/index.ts";
import { StatusError } from "../machinery/index.ts";

/** How a command ended, or why it could not be run. */
export type Outcome = { exit: ExitStatus } | { error: unknown };

/**
 * What the error stream carries at the end. From v4 on a Status, from which kubectl takes its own exit code; before,
 * a sentence, and nothing after success.
 */
export function exitReport(outcome: Outcome, format: "status" | "text"): string {
  const status = statusOf(outcome);
  if (format === "status") return JSON.stringify(status);
  return "message" in status ? status.message : "";
}

function statusOf(outcome: Outcome): { status: "Success" } | { status: "Failure"; message: string } {
  if ("error" in outcome) return failure(outcome.error);
  const { exitCode, message } = outcome.exit;
  if (exitCode === 0) return { metadata: {}, status: "Success" } as { status: "Success" };
  if (exitCode < 0) return failure(new Error(message ?? "the command could not be run"));
  // As apiserver's stream translator words it; kubectl reads the cause.
  return {
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: command terminated with exit code ${exitCode}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(exitCode) }] },
  } as unknown as { status: "Failure"; message: string };
}

function failure(error: unknown): { status: "Failure"; message: string } {
  if (error instanceof StatusError) return { ...error.status, status: "Failure", message: error.message };
  const message = `Internal error occurred: ${error instanceof Error ? error.message : String(error)}`;
  return {
    metadata: {},
    status: "Failure",
    message,
    reason: "InternalError",
    details: { causes: [{ message: error instanceof Error ? error.message : String(error) }] },
    code: 500,
  } as unknown as { status: "Failure"; message: string };
}
