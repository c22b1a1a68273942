import type { Readable } from "node:stream";
import type { ContainerTarget, NodePage, NodePageRequest, PodLogOptions } from "../../client/index.ts";
import { badRequest } from "../../machinery/index.ts";
import type { KubeletConfig } from "../config/fields.ts";
import { cadvisorMetrics } from "../stats/cadvisor-metrics.ts";
import { exposition, expositionType, type Metric, type Series } from "../stats/exposition.ts";
import { resourceMetrics } from "../stats/resource-metrics.ts";
import type { MeasuredPod, Sampler } from "../stats/sampler.ts";
import type { StartCounts } from "../stats/start-counts.ts";
import { summaryOf } from "../stats/summary.ts";
import { volumeMetrics } from "../stats/volume-metrics.ts";
import { agentMetrics } from "./agent-metrics.ts";
import { configzOf } from "./configz.ts";
import { logPage } from "./node-logs.ts";

export interface NodePagesOptions {
  nodeName: string;
  config: KubeletConfig;
  sampler: Sampler;
  /** Where the logs of this node are. */
  logsDir: string;
  machine: { cpus: number; memoryBytes: number };
  pods(): readonly MeasuredPod[];
  probeCounts(): readonly Series[];
  startCounts: StartCounts;
  containerEnds(): readonly Series[];
}

export type ReadLogs = (target: ContainerTarget, options: PodLogOptions) => Promise<Readable>;

const json = "application/json";
const plain = "text/plain; charset=utf-8";

/** What a node's agent shows over its port. Counterpart upstream: `pkg/kubelet/server`. */
export class NodePages {
  readonly #options: NodePagesOptions;

  constructor(options: NodePagesOptions) {
    this.#options = options;
  }

  async get({ path, query }: NodePageRequest, readLogs: ReadLogs): Promise<NodePage> {
    const { config, logsDir, nodeName } = this.#options;
    const [, first = "", ...rest] = path.split("/");
    const isWhole = rest.length === 0 || (rest.length === 1 && rest[0] === "");
    switch (first) {
      case "healthz":
        return page(plain, "ok");
      case "stats":
        if (rest[0] !== "summary" || rest.length > 1) break;
        return this.#summary(query["only_cpu_and_memory"] === "true");
      case "metrics":
        return this.#metrics(rest.join("/"));
      case "pods":
        if (isWhole) return page(json, JSON.stringify(this.#pods()));
        break;
      case "runningpods":
        if (isWhole) return page(json, JSON.stringify(this.#runningPods()));
        break;
      case "configz":
        if (isWhole) return page(json, JSON.stringify(configzOf(config)));
        break;
      case "logs":
        return logPage(logsDir, rest.join("/"), { nodeName });
      case "containerLogs":
        return { code: 200, mediaType: plain, body: await this.#containerLogs(rest, query, readLogs) };
    }
    return notThere;
  }

  async #summary(onlyCpuAndMemory: boolean): Promise<NodePage> {
    const { nodeName, sampler } = this.#options;
    const [sample, disks] = await Promise.all([
      sampler.rated(),
      onlyCpuAndMemory ? undefined : sampler.disks(),
    ]);
    return {
      ...page(json, JSON.stringify(summaryOf(nodeName, sample, disks))),
      // Beside the summary, whose shape has no place for it: the time that its rates are about.
      headers: ["stats-window-ms", String(sample.windowMs ?? 0)],
    };
  }

  async #metrics(which: string): Promise<NodePage> {
    const { containerEnds, machine, nodeName, pods, probeCounts, sampler, startCounts } = this.#options;
    switch (which.replace(/\/$/, "")) {
      case "": {
        const [{ kubelet }, disks] = await Promise.all([sampler.usage(), sampler.disks()]);
        return metrics([
          ...agentMetrics(nodeName, pods(), kubelet),
          ...startCounts.metrics(),
          {
            name: "kubelet_terminated_containers_total",
            help: "Cumulative number of container terminations.",
            type: "counter",
            series: containerEnds(),
          },
          ...volumeMetrics(disks),
        ]);
      }
      case "resource":
        return metrics(resourceMetrics(await sampler.usage()));
      case "cadvisor": {
        const [sample, disks] = await Promise.all([sampler.detailed(), sampler.disks()]);
        return metrics(cadvisorMetrics(sample, disks, machine));
      }
      case "probes":
        return metrics([
          {
            name: "prober_probe_total",
            help: "Cumulative number of a liveness, readiness or startup probe for a container by result.",
            type: "counter",
            series: probeCounts(),
          },
        ]);
      default:
        return notThere;
    }
  }

  #pods() {
    const items = this.#options.pods().map(({ pod, status }) => ({ ...pod, status }));
    return { kind: "PodList", apiVersion: "v1", metadata: {}, items };
  }

  /** As much of the pods as the engine tells. */
  #runningPods() {
    const items = this.#options.pods().flatMap(({ pod, containers }) => {
      const running = containers.filter(({ state }) => state === "running");
      if (running.length === 0) return [];
      const { name, namespace, uid } = pod.metadata;
      return {
        metadata: { name, namespace, uid },
        spec: {
          containers: running.map((each) => ({ name: each.name, image: each.imageName, resources: {} })),
        },
        status: {},
      };
    });
    return { kind: "PodList", apiVersion: "v1", metadata: {}, items };
  }

  /** `/containerLogs/NAMESPACE/POD/CONTAINER`. */
  #containerLogs(
    [namespace, name, container]: readonly string[],
    query: NodePageRequest["query"],
    readLogs: ReadLogs,
  ): Promise<Readable> {
    if (!namespace || !name || !container)
      throw badRequest('{"message": "Missing namespace, pod or container name."}');
    const found = this.#options
      .pods()
      .find(({ pod }) => pod.metadata.namespace === namespace && pod.metadata.name === name);
    if (!found) throw badRequest(`pod "${name}" does not exist`);
    return readLogs({ namespace, name, uid: found.pod.metadata.uid!, container }, logOptionsOf(query));
  }
}

const notThere: NodePage = { code: 404, mediaType: plain, body: Buffer.from("404 page not found\n") };

const page = (mediaType: string, text: string): NodePage => ({
  code: 200,
  mediaType,
  body: Buffer.from(text),
});

const metrics = (list: readonly Metric[]): NodePage => page(expositionType, exposition(list));

function logOptionsOf(query: NodePageRequest["query"]): PodLogOptions {
  const text = (name: string) => {
    const value = query[name];
    return typeof value === "object" ? value[0] : value;
  };
  const count = (name: string) => {
    const given = text(name);
    if (given === undefined || given === "") return {};
    if (!/^\d+$/.test(given)) throw badRequest(`${name}: ${JSON.stringify(given)} is not an integer`);
    return { [name]: Number(given) };
  };
  const sinceTime = text("sinceTime");
  return {
    follow: text("follow") === "true",
    previous: text("previous") === "true",
    timestamps: text("timestamps") === "true",
    ...(sinceTime && { sinceTime }),
    ...count("sinceSeconds"),
    ...count("tailLines"),
    ...count("limitBytes"),
  };
}
