import { type Duplex, Readable } from "node:stream";
import type { corev1 } from "../api/index.ts";
import type { Clock } from "../base/index.ts";
import type {
  AttachOptions,
  ContainerTarget,
  ExecOptions,
  ExitStatus,
  NodeApi,
  PodLogOptions,
  PodTarget,
  StdStreams,
} from "../client/index.ts";
import { badRequest, internalError, notFound } from "../machinery/index.ts";
import { type Runtime, RuntimeError } from "../runtime/index.ts";
import { readLog, readLogOptions } from "./logs/read-log.ts";
import { containerIdScheme } from "./status/container-statuses.ts";
import type { PodWorker } from "./worker/pod-worker.ts";
import { messageOf } from "./worker/start-error.ts";

export interface NodeApiOptions {
  runtime: Runtime;
  clock: Clock;
  /** The worker of a pod on this node. */
  worker(podUid: string): PodWorker | undefined;
}

/** Logs, exec, attach and port-forward of this node's containers. As `pkg/kubelet/server`. */
export class KubeletApi implements NodeApi {
  readonly #options: NodeApiOptions;

  constructor(options: NodeApiOptions) {
    this.#options = options;
  }

  async containerLogs(
    target: ContainerTarget,
    options: PodLogOptions,
    signal: AbortSignal,
  ): Promise<Readable> {
    const { clock, runtime } = this.#options;
    const worker = this.#worker(target);
    const id = logContainerId(worker.status, target, options.previous === true);
    const status = await runtime.containerStatus(id);
    if (!status) throw badRequest(`unable to retrieve container logs for ${containerIdScheme}://${id}`);
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const blocks = readLog(
      { path: status.logPath, ended: this.#untilEnded(id, both), clock },
      readLogOptions(options, clock.now()),
      both,
    );
    const stream = Readable.from(blocks, { objectMode: false });
    stream.once("close", () => stop.abort(new Error("the reader has gone")));
    return stream;
  }

  async exec(
    target: ContainerTarget,
    options: ExecOptions,
    streams: StdStreams,
    signal: AbortSignal,
  ): Promise<ExitStatus> {
    const id = this.#runningContainer(target);
    const { command, tty } = options;
    try {
      return await this.#options.runtime.exec(id, { command, tty }, streams, signal);
    } catch (error) {
      throw asStatus(error, "error executing command in container");
    }
  }

  async attach(
    target: ContainerTarget,
    { tty }: AttachOptions,
    streams: StdStreams,
    signal: AbortSignal,
  ): Promise<ExitStatus> {
    const id = this.#runningContainer(target);
    try {
      return await this.#options.runtime.attach(id, { tty }, streams, signal);
    } catch (error) {
      throw asStatus(error, "error attaching to container");
    }
  }

  async portForward(target: PodTarget, port: number, _signal: AbortSignal): Promise<Duplex> {
    const sandbox = this.#worker(target).observed?.sandboxes.find(({ state }) => state === "ready");
    if (!sandbox)
      throw badRequest(
        `unable to forward port because pod is not running. Current status=${this.#worker(target).status.phase ?? "Pending"}`,
      );
    try {
      return await this.#options.runtime.portForward(sandbox.id, port);
    } catch (error) {
      throw asStatus(error, "error forwarding port");
    }
  }

  #worker({ uid, namespace, name }: PodTarget): PodWorker {
    const worker = this.#options.worker(uid);
    if (!worker) throw notFound({ group: "", resource: "pods" }, name || `${namespace}/${name}`);
    return worker;
  }

  #runningContainer(target: ContainerTarget): string {
    const worker = this.#worker(target);
    const running = worker.observed?.containers.find(
      ({ name, state }) => name === target.container && state === "running",
    );
    if (running) return running.id;
    const hasIt = containersOf(worker.pod).includes(target.container);
    throw hasIt
      ? internalError(`unable to upgrade connection: container not found ("${target.container}")`)
      : badRequest(`container ${target.container} is not valid for pod ${target.name}`);
  }

  /** Resolves once a container does not run (any more), or at the signal. */
  #untilEnded(containerId: string, signal: AbortSignal): Promise<void> {
    const { runtime } = this.#options;
    return new Promise((resolve) => {
      const stop = runtime.onEvent((event) => {
        if (event.containerId === containerId && event.type === "exited") settle();
      });
      const settle = () => {
        stop();
        resolve();
      };
      signal.addEventListener("abort", settle, { once: true });
      // After listening, so that an end in between is not missed.
      void runtime.containerStatus(containerId).then(
        (status) => {
          if (status?.state !== "running" && status?.state !== "created") settle();
        },
        () => settle(),
      );
    });
  }
}

function containersOf({ spec }: corev1.Pod): string[] {
  return [...spec!.containers, ...(spec!.initContainers ?? []), ...(spec!.ephemeralContainers ?? [])].map(
    ({ name }) => name,
  );
}

function asStatus(error: unknown, what: string): Error {
  return error instanceof RuntimeError ? internalError(`${what}: ${messageOf(error)}`) : (error as Error);
}

/** Which attempt's log is meant. As kubelet's validateContainerLogStatus, with its texts. */
export function logContainerId(
  status: corev1.PodStatus,
  { name: pod, container }: ContainerTarget,
  previous: boolean,
): string {
  const all = [
    ...(status.containerStatuses ?? []),
    ...(status.initContainerStatuses ?? []),
    ...(status.ephemeralContainerStatuses ?? []),
  ];
  const found = all.find(({ name }) => name === container);
  const fail = (what: string) => badRequest(`container "${container}" in pod "${pod}" is ${what}`);
  if (!found) throw fail("not available");
  const last = found.lastState?.terminated;
  const { running, terminated, waiting } = found.state ?? {};
  if (previous) {
    if (!last?.containerID)
      throw badRequest(`previous terminated container "${container}" in pod "${pod}" not found`);
    return bareId(last.containerID);
  }
  if (running) return bareId(found.containerID!);
  const ended = terminated ? (terminated.containerID ?? last?.containerID) : last?.containerID;
  if (ended) return bareId(ended);
  if (terminated || last) throw fail("terminated");
  switch (waiting?.reason) {
    case "ErrImagePull":
      throw fail("waiting to start: image can't be pulled");
    case "ImagePullBackOff":
      throw fail("waiting to start: trying and failing to pull image");
    default:
      throw fail(waiting ? `waiting to start: ${waiting.reason ?? ""}` : "waiting to start - no logs yet");
  }
}

const bareId = (containerId: string) => containerId.replace(/^.*:\/\//, "");
