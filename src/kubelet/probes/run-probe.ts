import { connect } from "node:net";
import type { corev1 } from "../../api/index.ts";
import type { Clock } from "../../base/index.ts";
import { type Runtime, RuntimeError } from "../../runtime/index.ts";
import { expand } from "../container/expansion.ts";
import { goDuration } from "../status/container-statuses.ts";
import { messageOf } from "../worker/start-error.ts";
import { grpcHealth } from "./grpc-health.ts";
import { httpGet, portOf, urlOf } from "./http-get.ts";

/** What one run of a probe found. `error`: it could not be run, which says nothing of the container. */
export type ProbeOutcome =
  | { outcome: "success" }
  | { outcome: "warning"; output: string }
  | { outcome: "failure"; output: string }
  | { outcome: "error"; message: string };

export const probeUserAgent = "kube-probe/1.36";
/** As `pkg/probe/exec`. */
const outputBytesMax = 10 * 1_024;

export interface ProbeTarget {
  container: corev1.Container;
  containerId: string;
  podIp: string | undefined;
}

/** Runs a probe once, within its timeout. As prober's runProbe. */
export async function runProbe(
  probe: corev1.Probe,
  target: ProbeTarget,
  { runtime, clock }: { runtime: Runtime; clock: Clock },
): Promise<ProbeOutcome> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1_000;
  if (probe.exec) return runExec(probe.exec.command ?? [], target, runtime, timeoutMs);
  const over = new AbortController();
  const timer = clock.after(timeoutMs, () => over.abort(new Error("probe timed out")));
  try {
    if (probe.httpGet) return await runHttp(probe.httpGet, target, over.signal);
    if (probe.tcpSocket) return await runTcp(probe.tcpSocket, target, over.signal);
    if (probe.grpc) return await runGrpc(probe.grpc, target, over.signal, goDuration(timeoutMs));
  } catch (error) {
    return { outcome: "error", message: messageOf(error) };
  } finally {
    timer.cancel();
  }
  return { outcome: "error", message: `missing probe handler for ${target.container.name}` };
}

async function runExec(
  command: readonly string[],
  { container, containerId }: ProbeTarget,
  runtime: Runtime,
  timeoutMs: number,
): Promise<ProbeOutcome> {
  const fixed = new Map((container.env ?? []).map(({ name, value }) => [name, value ?? ""]));
  try {
    const { exitCode, stdout, stderr } = await runtime.execSync(
      containerId,
      command.map((part) => expand(part, (name) => fixed.get(name))),
      { timeoutMs, outputBytesMax },
    );
    if (exitCode === 0) return { outcome: "success" };
    return {
      outcome: "failure",
      output: Buffer.concat([stdout, stderr]).subarray(0, outputBytesMax).toString("utf8"),
    };
  } catch (error) {
    if (error instanceof RuntimeError && error.reason === "DeadlineExceeded") {
      return { outcome: "failure", output: `command timed out: ${messageOf(error)}` };
    }
    return { outcome: "error", message: messageOf(error) };
  }
}

async function runHttp(
  action: corev1.HTTPGetAction,
  { container, podIp }: ProbeTarget,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  const url = urlOf(action, container, podIp ?? "");
  try {
    const answer = await httpGet(url, action.httpHeaders ?? [], { userAgent: probeUserAgent, signal });
    if (answer.isForeignRedirect)
      return { outcome: "warning", output: `Probe terminated redirects, Response body: ${answer.body}` };
    const isGood = answer.statusCode >= 200 && answer.statusCode < 400;
    return isGood
      ? { outcome: "success" }
      : { outcome: "failure", output: `HTTP probe failed with statuscode: ${answer.statusCode}` };
  } catch (error) {
    const why = signal.aborted
      ? "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
      : connectionFailure(error);
    return { outcome: "failure", output: `Get "${url}": ${why}` };
  }
}

/** As Go words it: clients and tests look for `connection refused`. */
function connectionFailure(error: unknown): string {
  const { code, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  const to = address === undefined ? "" : ` ${address.includes(":") ? `[${address}]` : address}:${port}`;
  switch (code) {
    case "ECONNREFUSED":
      return `dial tcp${to}: connect: connection refused`;
    case "EHOSTUNREACH":
      return `dial tcp${to}: connect: no route to host`;
    case "ENETUNREACH":
      return `dial tcp${to}: connect: network is unreachable`;
    case "ECONNRESET":
      return "read: connection reset by peer";
    default:
      return messageOf(error);
  }
}

function runTcp(
  { host, port }: corev1.TCPSocketAction,
  { container, podIp }: ProbeTarget,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  const to = { host: host || podIp || "", port: portOf(port, container) };
  return new Promise((resolve) => {
    const socket = connect(to);
    const settle = (outcome: ProbeOutcome) => {
      socket.destroy();
      resolve(outcome);
    };
    socket.once("connect", () => settle({ outcome: "success" }));
    socket.once("error", (error) => settle({ outcome: "failure", output: connectionFailure(error) }));
    const timedOut = () =>
      settle({ outcome: "failure", output: `dial tcp ${to.host}:${to.port}: i/o timeout` });
    if (signal.aborted) timedOut();
    else signal.addEventListener("abort", timedOut, { once: true });
  });
}

async function runGrpc(
  { port, service }: corev1.GRPCAction,
  { podIp }: ProbeTarget,
  signal: AbortSignal,
  timeoutText: string,
): Promise<ProbeOutcome> {
  const health = await grpcHealth(podIp ?? "", port, service ?? "", { signal, timeoutText });
  return health.isServing ? { outcome: "success" } : { outcome: "failure", output: health.message };
}
