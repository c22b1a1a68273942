import type { corev1 } from "../../api/index.ts";
import type { Clock } from "../../base/index.ts";
import type { Runtime } from "../../runtime/index.ts";
import { type EventSink, podTarget } from "../events.ts";
import { httpGet, urlOf } from "../probes/http-get.ts";
import { formatPod } from "../status/container-statuses.ts";
import type { PodHooks } from "./services.ts";
import { messageOf } from "./start-error.ts";

const lifecycleUserAgent = "kube-lifecycle/1.36";
const outputBytesMax = 10 * 1_024;

/** Runs postStart and preStop handlers. As `pkg/kubelet/lifecycle/handlers.go`; its callers bound them in time. */
export class HookRunner implements PodHooks {
  readonly #runtime: Runtime;
  readonly #clock: Clock;
  readonly #events: EventSink;

  constructor(options: { runtime: Runtime; clock: Clock; events: EventSink }) {
    this.#runtime = options.runtime;
    this.#clock = options.clock;
    this.#events = options.events;
  }

  async run(
    pod: corev1.Pod,
    container: corev1.Container,
    containerId: string,
    handler: corev1.LifecycleHandler,
    podIp: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const where = `for Container "${container.name}" in Pod "${formatPod(pod)}" failed - error:`;
    if (handler.exec) return this.#exec(containerId, handler.exec.command ?? [], where, signal);
    if (handler.httpGet) {
      try {
        return await this.#http(pod, container, handler.httpGet, podIp, signal);
      } catch (error) {
        throw new Error(`HTTP lifecycle hook (${handler.httpGet.path ?? "/"}) ${where} ${messageOf(error)}`);
      }
    }
    if (handler.sleep) {
      try {
        return await this.#clock.sleep(handler.sleep.seconds * 1_000, signal);
      } catch {
        const why = "container terminated before sleep hook finished";
        throw new Error(`Sleep lifecycle hook (${handler.sleep.seconds}) ${where} ${why}`);
      }
    }
    // As kubelet: a tcpSocket hook is accepted for old clients' sake, and fails when it is run.
    throw new Error(
      `Cannot run handler: invalid handler${handler.tcpSocket ? ": tcpSocket hooks are not supported" : ""}`,
    );
  }

  async #exec(
    containerId: string,
    command: readonly string[],
    where: string,
    signal: AbortSignal,
  ): Promise<void> {
    const failed = (why: string, output: string) =>
      new Error(
        `Exec lifecycle hook (${goList(command)}) ${where} ${why}, message: ${JSON.stringify(output)}`,
      );
    const aborted = new Promise<never>((_resolve, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    let result: Awaited<ReturnType<Runtime["execSync"]>>;
    try {
      result = await Promise.race([
        this.#runtime.execSync(containerId, command, { outputBytesMax }),
        aborted,
      ]);
    } catch (error) {
      throw failed(messageOf(error), "");
    }
    if (result.exitCode === 0) return;
    const output = Buffer.concat([result.stdout, result.stderr]).toString("utf8");
    throw failed(`command '${command.join(" ")}' exited with ${result.exitCode}: ${output}`, output);
  }

  async #http(
    pod: corev1.Pod,
    container: corev1.Container,
    action: corev1.HTTPGetAction,
    podIp: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const url = urlOf(action, container, podIp ?? "");
    const options = { userAgent: lifecycleUserAgent, signal };
    const headers = action.httpHeaders ?? [];
    try {
      await httpGet(url, headers, options);
    } catch (error) {
      if (!url.startsWith("https:") || !isPlainHttpAnswer(error)) throw error;
      await httpGet(
        url.replace(/^https/, "http"),
        headers.filter(({ name }) => name.toLowerCase() !== "authorization"),
        options,
      );
      const message = `request to HTTPS lifecycle hook ${new URL(url).host} got HTTP response, retry with HTTP succeeded`;
      this.#events.event(podTarget(pod), "Warning", "LifecycleHTTPFallback", message);
    }
  }
}

/** OpenSSL's word for an answer that is not TLS. */
const isPlainHttpAnswer = (error: unknown) =>
  ["EPROTO", "ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_PACKET_LENGTH_TOO_LONG"].includes(
    (error as NodeJS.ErrnoException).code ?? "",
  );

const goList = (parts: readonly string[]) => `[${parts.join(" ")}]`;
