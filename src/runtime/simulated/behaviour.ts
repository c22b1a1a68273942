import type { ContainerConfig, RuntimeErrorReason } from "../contract.ts";

/** What a simulated container does. Every field may be left out: then it runs until it is stopped. */
export interface Behaviour {
  /** Ends by itself this long after its start, with `exitCode`. */
  exitAfterMs?: number;
  exitCode?: number;
  /** Of its end: `Error`, `OOMKilled`… By default `Completed` for 0, else `Error`. */
  reason?: string;
  /** Its end by the stop signal; `ignore` waits for SIGKILL. Default: ends at once, with 143. */
  onStopSignal?: "end" | "ignore";
  /** How long after the stop signal it ends. */
  stopAfterMs?: number;
  /** What it ends with then. */
  stopExitCode?: number;
  /** Making or starting it fails with this message. */
  createError?: { reason?: RuntimeErrorReason; message: string };
  startError?: { message: string; exitCode?: number };
  /** Written to its log at the start. */
  output?: string;
  /** Written to its termination message file when it ends. */
  terminationMessage?: string;
  exec?(command: readonly string[]): ExecResult | Promise<ExecResult>;
}

export interface ExecResult {
  exitCode: number;
  stdout?: string;
  stderr?: string;
  /** Ends only by its timeout. */
  hangs?: boolean;
}

/** Asked at each start, so that a second attempt can behave unlike the first. */
export type Behaviours = (config: ContainerConfig, pod: { name: string; namespace: string }) => Behaviour;
