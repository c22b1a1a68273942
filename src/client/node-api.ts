import type { Duplex, Readable, Writable } from "node:stream";

/**
 * What the API server asks of a node's agent, for pod subresources: the kubelet's own API (port 10250), as a contract.
 * In one process it is the kubelet itself; between machines, HTTPS.
 *
 * - A failure before the first byte is a `StatusError` (container not found, waiting to start…).
 * - Every call ends when its signal is aborted, and then leaves nothing running but the container itself.
 */
export interface NodeApi {
  /** The container's log, as `kubectl logs` asks for it. Ends when the log does (or never, for `follow`, until the container ends). */
  containerLogs(target: ContainerTarget, options: PodLogOptions, signal: AbortSignal): Promise<Readable>;
  exec(
    target: ContainerTarget,
    options: ExecOptions,
    streams: StdStreams,
    signal: AbortSignal,
  ): Promise<ExitStatus>;
  /** Until the container ends, however it does; what its exit code was is in the pod's status. */
  attach(
    target: ContainerTarget,
    options: AttachOptions,
    streams: StdStreams,
    signal: AbortSignal,
  ): Promise<void>;
  /** A connection to `port` on the pod's localhost. */
  portForward(target: PodTarget, port: number, signal: AbortSignal): Promise<Duplex>;
  /** A connection to `port` on the pod's address, as another pod would have it. */
  dialPod(target: PodTarget, port: number, signal: AbortSignal): Promise<Duplex>;
  /** One of the agent's own pages: `/stats/summary`, `/metrics/resource`, `/logs/`… */
  page(request: NodePageRequest, signal: AbortSignal): Promise<NodePage>;
}

export interface NodePageRequest {
  /** Begins with `/`; decoded. */
  path: string;
  query: Readonly<Record<string, string | readonly string[] | undefined>>;
}

export interface NodePage {
  code: number;
  mediaType: string;
  /** Further headers: names and values in turn. */
  headers?: readonly string[];
  body: Buffer | Readable;
}

/** Finds the agent of a node; throws a `StatusError` when it cannot be reached. */
export interface NodeConnector {
  connect(nodeName: string): Promise<NodeApi>;
}

export interface PodTarget {
  namespace: string;
  name: string;
  uid: string;
}
export interface ContainerTarget extends PodTarget {
  container: string;
}

/** `core/v1.PodLogOptions`. */
export interface PodLogOptions {
  follow?: boolean;
  previous?: boolean;
  sinceSeconds?: number;
  sinceTime?: string;
  timestamps?: boolean;
  tailLines?: number;
  limitBytes?: number;
  stream?: "All" | "Stdout" | "Stderr";
}

export interface AttachOptions {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}
export interface ExecOptions extends AttachOptions {
  command: readonly string[];
}

export interface StdStreams {
  stdin?: Readable;
  stdout?: Writable;
  stderr?: Writable;
  /** Terminal sizes, the first one before the start where the client sent it. */
  resize?: AsyncIterable<TerminalSize>;
}
export interface TerminalSize {
  columns: number;
  rows: number;
}

export interface ExitStatus {
  exitCode: number;
  /** Why the command could not be run at all; then `exitCode` is 126, 127 or -1. */
  message?: string;
}
