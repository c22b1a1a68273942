import { connect } from "node:net";
import { type Duplex, Readable } from "node:stream";
import type { corev1 } from "../api/index.ts";
import type { Clock } from "../base/index.ts";
import type {
  AttachOptions,
  ContainerTarget,
  ExecOptions,
  ExitStatus,
  NodeApi,
  NodePage,
  NodePageRequest,
  PodLogOptions,
  PodTarget,
  StdStreams,
} from "../client/index.ts";
import { badRequest, internalError, notFound, serviceUnavailable } from "../machinery/index.ts";
import { type Runtime, RuntimeError } from "../runtime/index.ts";
import { keptLog } from "./garbage/kept-logs.ts";
import { readLog, readLogOptions } from "./logs/read-log.ts";
import type { NodePages } from "./pages/pages.ts";
import type { PodWorker } from "./worker/pod-worker.ts";
import { messageOf } from "./worker/start-error.ts";

export interface NodeApiOptions {
  runtime: Runtime;
  clock: Clock;
  /** Where the logs of this node's pods are. */
  logsDir: string;
  /** The worker of a pod on this node. */
  worker(podUid: string): PodWorker | undefined;
  /** What the agent shows besides; there once it has started. */
  pages(): NodePages | undefined;
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
    const { clock } = this.#options;
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const log = await this.#logOf(target, options.previous ? "previous" : "last", both);
    const blocks = readLog({ ...log, clock }, readLogOptions(options, clock.now()), both);
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
    _options: AttachOptions,
    streams: StdStreams,
    signal: AbortSignal,
  ): Promise<void> {
    const id = this.#runningContainer(target);
    // Of a process that runs it is known already, whatever the client thinks.
    const { tty = false } = containersOf(this.#worker(target).pod).find(
      ({ name }) => name === target.container,
    )!;
    try {
      await this.#options.runtime.attach(id, { tty }, streams, signal);
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

  async dialPod(target: PodTarget, port: number, signal: AbortSignal): Promise<Duplex> {
    const { podIP } = this.#worker(target).status;
    if (!podIP) throw badRequest("address not allowed");
    return dial(podIP, port, signal);
  }

  async page(request: NodePageRequest, signal: AbortSignal): Promise<NodePage> {
    const pages = this.#options.pages();
    if (!pages) throw serviceUnavailable("the node's agent is starting");
    return pages.get(request, (target, options) => this.containerLogs(target, options, signal));
  }

  /** Of a container of a pod that is here; or what is kept of one that is gone, though something may hold its object. */
  async #logOf(target: ContainerTarget, which: "last" | "previous", signal: AbortSignal) {
    const { logsDir, runtime } = this.#options;
    const worker = this.#options.worker(target.uid);
    const reference = worker && logContainerId(worker.status, target, which === "previous");
    const id = reference && bareId(reference);
    const status = id && (await runtime.containerStatus(id));
    if (status) return { path: status.logPath, ended: this.#untilEnded(id, signal) };
    const kept = await keptLog(logsDir, target, which);
    if (kept !== undefined) return { path: kept, ended: Promise.resolve() };
    throw reference ? badRequest(`unable to retrieve container logs for ${reference}`) : podNotFound(target);
  }

  #worker(target: PodTarget): PodWorker {
    const worker = this.#options.worker(target.uid);
    if (!worker) throw podNotFound(target);
    return worker;
  }

  #runningContainer(target: ContainerTarget): string {
    const worker = this.#worker(target);
    const running = worker.observed?.containers.find(
      ({ name, state }) => name === target.container && state === "running",
    );
    if (running) return running.id;
    const hasIt = containersOf(worker.pod).some(({ name }) => name === target.container);
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

/** How long a pod may take to answer a SYN. As `http.Transport`'s dialer of the API server. */
const dialMsMax = 30_000;

/** In the words that Go has for them, which people search for. */
const dialFailures: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  ETIMEDOUT: "i/o timeout",
};

const podNotFound = ({ namespace, name }: PodTarget) =>
  notFound({ group: "", resource: "pods" }, name || `${namespace}/${name}`);

function dial(host: string, port: number, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal });
    const fail = (error: Error) => {
      socket.destroy();
      const why = dialFailures[(error as NodeJS.ErrnoException).code ?? ""] ?? error.message;
      reject(serviceUnavailable(`error trying to reach service: dial tcp ${host}:${port}: ${why}`));
    };
    socket.setTimeout(dialMsMax, () => fail(new Error("i/o timeout")));
    socket.once("error", fail);
    socket.once("connect", () => {
      socket.setTimeout(0);
      socket.off("error", fail);
      // Whoever reads it learns of what comes later.
      socket.on("error", () => socket.destroy());
      resolve(socket);
    });
  });
}

const containersOf = ({ spec }: corev1.Pod) => [
  ...spec!.containers,
  ...(spec!.initContainers ?? []),
  ...(spec!.ephemeralContainers ?? []),
];

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
    return last.containerID;
  }
  if (running) return found.containerID!;
  const ended = terminated ? (terminated.containerID ?? last?.containerID) : last?.containerID;
  if (ended) return ended;
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
