import { buffer } from "node:stream/consumers";
import { type KubeObject, Quantity } from "../../machinery/index.ts";
import type { Serving } from "../context.ts";

/** Of one container, or of a node. */
interface Amounts {
  cpuNanoCores: number;
  memoryBytes: number;
}

export interface PodUsage {
  timestamp: string;
  windowMs: number;
  containers: ({ name: string } & Amounts)[];
}

export interface NodeUsage extends Amounts {
  timestamp: string;
  windowMs: number;
  /** By uid. */
  pods: ReadonlyMap<string, PodUsage>;
}

/** As much of a summary as is read; the shape is the kubelet's. */
interface Summary {
  node: Stats;
  pods: { podRef: { uid: string }; containers: (Stats & { name: string })[] }[];
}
interface Stats {
  cpu?: { time: string; usageNanoCores?: number };
  memory?: { workingSetBytes?: number };
}

/** How long one node may take: it may have to look twice, a second apart. */
const scrapeMsMax = 10_000;
/** The time that the rates are from, where an agent does not say. */
const windowMsDefault = 10_000;
export const windowHeader = "stats-window-ms";

/** What the nodes say now, by name. One that cannot be asked, or does not answer in time, is left out. */
export async function usageOf(
  serving: Serving,
  nodes: Iterable<string>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, NodeUsage>> {
  const found = await Promise.all(
    [...new Set(nodes)].map(async (name): Promise<[string, NodeUsage][]> => {
      try {
        return [[name, await scrape(serving, name, signal)]];
      } catch (error) {
        serving.log.debug({ node: name, error: String(error) }, "a node's usage could not be read");
        return [];
      }
    }),
  );
  return new Map(found.flat());
}

async function scrape({ clock, nodes }: Serving, name: string, gone: AbortSignal): Promise<NodeUsage> {
  const late = new AbortController();
  const timer = clock.after(scrapeMsMax, () => late.abort(new Error("it took too long")));
  const signal = AbortSignal.any([gone, late.signal]);
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => {});
  try {
    const node = await nodes.connect(name);
    const query = { only_cpu_and_memory: "true" };
    const page = await Promise.race([node.page({ path: "/stats/summary", query }, signal), aborted]);
    if (page.code !== 200) throw new Error(`it answered ${page.code}`);
    const headers = page.headers ?? [];
    const at = headers.indexOf(windowHeader);
    const windowMs = at < 0 ? windowMsDefault : Number(headers[at + 1]);
    const body = Buffer.isBuffer(page.body) ? page.body : await buffer(page.body);
    return read(JSON.parse(body.toString()) as Summary, windowMs);
  } finally {
    timer.cancel();
  }
}

function read({ node, pods }: Summary, windowMs: number): NodeUsage {
  const amounts = (stats: Stats): Amounts => ({
    cpuNanoCores: stats.cpu?.usageNanoCores ?? 0,
    memoryBytes: stats.memory?.workingSetBytes ?? 0,
  });
  return {
    ...amounts(node),
    timestamp: node.cpu?.time ?? "",
    windowMs,
    pods: new Map(
      pods.map(({ podRef, containers }) => [
        podRef.uid,
        {
          timestamp: containers[0]?.cpu?.time ?? node.cpu?.time ?? "",
          windowMs,
          containers: containers.map((container) => ({ name: container.name, ...amounts(container) })),
        },
      ]),
    ),
  };
}

export const resourceList = ({ cpuNanoCores, memoryBytes }: Amounts): Record<string, string> => ({
  cpu: Quantity.parse(`${Math.round(cpuNanoCores)}n`).toString(),
  memory: Quantity.of(memoryBytes, "binarySI").toString(),
});

/** As Go prints a duration of seconds: `10.012s`. */
export const durationOf = (ms: number): string => `${Math.round(ms) / 1_000}s`;

/** What metrics of an object say of it. */
export const metadataOf = ({ metadata }: KubeObject, timestamp: string) => ({
  name: metadata.name!,
  ...(metadata.namespace && { namespace: metadata.namespace }),
  creationTimestamp: timestamp,
  ...(metadata.labels && { labels: metadata.labels }),
});
