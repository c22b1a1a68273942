import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { corev1 } from "../../api/index.ts";
import type { Clock } from "../../base/index.ts";
import { type Dialer, type Runtime, RuntimeError } from "../../runtime/index.ts";
import { expand } from "../container/expansion.ts";
import { goDuration } from "../status/container-statuses.ts";
import { messageOf } from "../worker/start-error.ts";
import { grpcHealth, grpcTimeout } from "./grpc-health.ts";
import { type HttpAnswer, httpGet, portOf, redirectCodes, urlOf } from "./http-get.ts";
import { plainCheckOf, plainGrpcHealth } from "./plain-grpc.ts";
import { type PlainAnswer, plainGet, plainRequestOf } from "./plain-http.ts";

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

/** What probes are run with. */
export interface ProbeMeans {
  runtime: Runtime;
  clock: Clock;
  dialer: Dialer;
}

/** Runs a probe once, within its timeout. As prober's runProbe. */
export async function runProbe(
  probe: corev1.Probe,
  target: ProbeTarget,
  means: ProbeMeans,
): Promise<ProbeOutcome> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1_000;
  if (probe.exec) return runExec(probe.exec.command ?? [], target, means.runtime, timeoutMs);
  try {
    if (probe.httpGet) return await runHttp(probe.httpGet, target, means, timeoutMs);
    if (probe.tcpSocket) return await runTcp(probe.tcpSocket, target, means, timeoutMs);
    if (probe.grpc) return await runGrpc(probe.grpc, target, means, timeoutMs);
  } catch (error) {
    return { outcome: "error", message: messageOf(error) };
  }
  return { outcome: "error", message: `missing probe handler for ${target.container.name}` };
}

async function within<T>(
  clock: Clock,
  timeoutMs: number,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const timer = clock.after(timeoutMs, () => over.abort(new Error("probe timed out")));
  try {
    return await task(over.signal);
  } finally {
    timer.cancel();
  }
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

const noAnswerInTime = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";

async function runHttp(
  action: corev1.HTTPGetAction,
  { container, podIp }: ProbeTarget,
  { clock, dialer }: ProbeMeans,
  timeoutMs: number,
): Promise<ProbeOutcome> {
  const plain = plainRequestOf(action, container, podIp ?? "", probeUserAgent);
  const url = plain?.url ?? urlOf(action, container, podIp ?? "");
  const beganMs = clock.monotonicMs();
  try {
    const answer = plain && (await plainGet(dialer, plain, timeoutMs));
    if (plain && !answer) return { outcome: "failure", output: `Get "${url}": ${noAnswerInTime}` };
    const next = answer && redirectOf(answer, url);
    const isForeign = next !== undefined && next.hostname !== new URL(url).hostname;
    if (answer && (!next || isForeign)) return judge({ ...answer, isForeignRedirect: isForeign });
    // What leads on, is encrypted or names a host takes Node's own client.
    return await within(clock, timeoutMs - (clock.monotonicMs() - beganMs), async (signal) => {
      try {
        const headers = action.httpHeaders ?? [];
        return judge(await httpGet(next?.href ?? url, headers, { userAgent: probeUserAgent, signal }));
      } catch (error) {
        throw signal.aborted ? new Error(noAnswerInTime) : error;
      }
    });
  } catch (error) {
    return { outcome: "failure", output: `Get "${url}": ${connectionFailure(error)}` };
  }
}

function redirectOf({ location, statusCode }: PlainAnswer, url: string): URL | undefined {
  return location !== undefined && redirectCodes.includes(statusCode) ? new URL(location, url) : undefined;
}

function judge({ body, isForeignRedirect, statusCode }: HttpAnswer): ProbeOutcome {
  if (isForeignRedirect)
    return { outcome: "warning", output: `Probe terminated redirects, Response body: ${body}` };
  const isGood = statusCode >= 200 && statusCode < 400;
  return isGood
    ? { outcome: "success" }
    : { outcome: "failure", output: `HTTP probe failed with statuscode: ${statusCode}` };
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

/** By action: the same object each time, as the dialer likes it. Names are looked up each time. */
const tcpTargets = new WeakMap<corev1.TCPSocketAction, { host: string; port: number }>();

async function runTcp(
  action: corev1.TCPSocketAction,
  { container, podIp }: ProbeTarget,
  { dialer }: ProbeMeans,
  timeoutMs: number,
): Promise<ProbeOutcome> {
  const host = action.host || podIp || "";
  let to = tcpTargets.get(action);
  if (to?.host !== host) {
    to = { host: await addressOf(host), port: portOf(action.port, container) };
    tcpTargets.set(action, to);
  }
  try {
    const end = await dialer.exchange(to, undefined, { timeoutMs });
    if (end !== "unreached") return { outcome: "success" };
    return { outcome: "failure", output: `dial tcp ${to.host}:${to.port}: i/o timeout` };
  } catch (error) {
    return { outcome: "failure", output: connectionFailure(error) };
  }
}

async function addressOf(host: string): Promise<string> {
  return isIP(host) === 0 ? (await lookup(host)).address : host;
}

async function runGrpc(
  action: corev1.GRPCAction,
  { podIp = "" }: ProbeTarget,
  { clock, dialer }: ProbeMeans,
  timeoutMs: number,
): Promise<ProbeOutcome> {
  const beganMs = clock.monotonicMs();
  const { port, service = "" } = action;
  const check = plainCheckOf(action, podIp);
  switch (check && (await plainGrpcHealth(dialer, check, timeoutMs))) {
    case "serving":
      return { outcome: "success" };
    case "unreached":
      return { outcome: "failure", output: grpcTimeout.unreached(podIp, port, goDuration(timeoutMs)) };
    case "timeout":
      return { outcome: "failure", output: grpcTimeout.unanswered(goDuration(timeoutMs)) };
  }
  // Whatever else went wrong is told by the client that tells it best.
  const leftMs = timeoutMs - (clock.monotonicMs() - beganMs);
  const health = await within(clock, leftMs, (signal) =>
    grpcHealth(podIp, port, service, { signal, timeoutText: goDuration(timeoutMs) }),
  );
  return health.isServing ? { outcome: "success" } : { outcome: "failure", output: health.message };
}
