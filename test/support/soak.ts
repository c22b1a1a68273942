import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { ApiClient } from "../../bench/api-client.ts";
import { type Footprint, footprintOf, grownSince } from "./host-footprint.ts";

export interface SoakedCluster {
  dataDir: string;
  kubeconfig: string;
  pid: number;
}

export interface SoakOptions {
  pods: number;
  /** How many there are at a time. */
  parallel: number;
  /** Told now and then. */
  progress?(done: number, memory: MemorySample): void;
}

export interface MemorySample {
  pods: number;
  /** Resident, of the process. */
  residentBytes: number;
  /** Of that, what is not a file's: the heap, and what native code holds. */
  anonymousBytes: number;
}

export interface SoakResult {
  tookMs: number;
  memory: MemorySample[];
  /** What the host has that it had not before; empty when nothing leaked. */
  grown: Footprint;
}

/** So long may the last of it take to be given back: teardown of links is the kernel's, and late events are written. */
const settleMsMax = 60_000;
const warmUpPods = 16;
const podMsMax = 120_000;

/** Lives of pods, in turn: what each makes must go with it. */
const lives: ((name: string) => Record<string, unknown>)[] = [
  () => pod([container("main", stay)]),
  () => ({
    ...pod([container("main", stay, { volumeMounts: mounts("cache", "memory", "config") })]),
    volumes: [
      { name: "cache", emptyDir: {} },
      { name: "memory", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
      { name: "config", configMap: { name: "soak" } },
    ],
  }),
  () => ({ ...pod([container("main", "echo done")]), restartPolicy: "Never" }),
  () => ({
    ...pod([container("main", stay), container("second", stay)]),
    initContainers: [
      container("init", "echo init"),
      { ...container("sidecar", stay), restartPolicy: "Always" },
    ],
  }),
  () =>
    pod([
      container("main", stay, {
        readinessProbe: { exec: { command: ["true"] }, periodSeconds: 1 },
        lifecycle: { preStop: { exec: { command: ["true"] } } },
        resources: { limits: { memory: "32Mi", cpu: "500m" } },
      }),
    ]),
  // Fails once, and is restarted.
  () =>
    pod(
      [
        container("main", `[ -e /cache/was ] || { touch /cache/was; exit 1; }; ${stay}`, {
          volumeMounts: mounts("cache"),
        }),
      ],
      [{ name: "cache", emptyDir: {} }],
    ),
];

const stay = "trap 'exit 0' TERM; sleep 3600 & wait";
const mounts = (...names: string[]) => names.map((name) => ({ name, mountPath: `/${name}` }));

function container(name: string, script: string, more: object = {}) {
  return { name, image: "busybox", command: ["sh", "-c", script], ...more };
}

function pod(containers: object[], volumes: object[] = []) {
  return { terminationGracePeriodSeconds: 2, containers, volumes };
}

/** Starts and deletes pods, and tells what the host has then that it had not before, and how memory went. */
export async function soak(cluster: SoakedCluster, options: SoakOptions): Promise<SoakResult> {
  const client = new ApiClient(cluster.kubeconfig, options.parallel + 2);
  const watching = await PodWatch.start(client);
  try {
    await client.json("POST", "/api/v1/namespaces/default/configmaps", {
      metadata: { name: "soak" },
      data: { key: "value" },
    });
    // What is made with the first pod and kept is no leak.
    await each(warmUpPods, options.parallel, (i) => liveOnce(client, watching, `warm-${i}`, i));
    await setTimeout(2_000);
    const before = await footprintOf(cluster);
    const memory: MemorySample[] = [];
    const startMs = performance.now();
    let done = 0;
    const sampleEvery = Math.max(Math.floor(options.pods / 100), 1);
    await each(options.pods, options.parallel, async (i) => {
      await liveOnce(client, watching, `soak-${i}`, i);
      if (++done % sampleEvery !== 0) return;
      const sample = { pods: done, ...memoryOf(cluster.pid) };
      memory.push(sample);
      options.progress?.(done, sample);
    });
    const tookMs = performance.now() - startMs;
    return { tookMs, memory, grown: await settled(cluster, before) };
  } finally {
    watching.close();
    client.close();
  }
}

async function settled(cluster: SoakedCluster, before: Footprint): Promise<Footprint> {
  const limitMs = performance.now() + settleMsMax;
  for (;;) {
    const grown = grownSince(before, await footprintOf(cluster));
    if (Object.keys(grown).length === 0 || performance.now() > limitMs) return grown;
    await setTimeout(500);
  }
}

async function each(count: number, parallel: number, act: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(parallel, count) }, async () => {
      while (next < count) await act(next++);
    }),
  );
}

async function liveOnce(client: ApiClient, watching: PodWatch, name: string, turn: number): Promise<void> {
  const spec = lives[turn % lives.length]!(name);
  await client.json("POST", "/api/v1/namespaces/default/pods", { metadata: { name }, spec });
  await watching.until(name, "up");
  await client.send("DELETE", `/api/v1/namespaces/default/pods/${name}`);
  await watching.until(name, "gone");
}

/** One watch for all pods. */
class PodWatch {
  readonly #states = new Map<string, "up" | "gone">();
  readonly #waiting = new Map<string, () => void>();
  #watch!: { close(): void };

  static async start(client: ApiClient): Promise<PodWatch> {
    const watch = new PodWatch();
    const { metadata } = await client.json("GET", "/api/v1/namespaces/default/pods");
    const path = `/api/v1/namespaces/default/pods?watch=true&resourceVersion=${metadata.resourceVersion}`;
    watch.#watch = await client.watch(path, (line) => watch.#see(JSON.parse(line.toString())));
    return watch;
  }

  #see({ type, object }: { type: string; object: any }): void {
    const { name } = object.metadata;
    const isReady = object.status?.conditions?.some((c: any) => c.type === "Ready" && c.status === "True");
    if (type === "DELETED") this.#states.set(name, "gone");
    else if (isReady || object.status?.phase === "Succeeded") this.#states.set(name, "up");
    this.#waiting.get(name)?.();
  }

  async until(name: string, state: "up" | "gone"): Promise<void> {
    const limitMs = performance.now() + podMsMax;
    while (this.#states.get(name) !== state) {
      const leftMs = limitMs - performance.now();
      if (leftMs <= 0) throw new Error(`pod ${name} is not ${state} after ${podMsMax / 1_000} s`);
      const over = new AbortController();
      const change = new Promise<void>((resolve) => this.#waiting.set(name, resolve));
      await Promise.race([change, setTimeout(leftMs, undefined, over).catch(() => {})]);
      over.abort();
    }
    this.#waiting.delete(name);
    if (state === "gone") this.#states.delete(name);
  }

  close(): void {
    this.#watch.close();
  }
}

/** As the kernel counts it. */
export function memoryOf(pid: number): Omit<MemorySample, "pods"> {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const of = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) * 1_024;
  return { residentBytes: of("VmRSS"), anonymousBytes: of("RssAnon") };
}

/** Bytes a pod, by least squares over the second half of the samples: the first fills caches. */
export function slopeOf(memory: readonly MemorySample[], of: "residentBytes" | "anonymousBytes"): number {
  const samples = memory.slice(Math.floor(memory.length / 2));
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanX = mean(samples.map(({ pods }) => pods));
  const meanY = mean(samples.map((sample) => sample[of]));
  const over = samples.reduce((sum, sample) => sum + (sample.pods - meanX) * (sample[of] - meanY), 0);
  const under = samples.reduce((sum, { pods }) => sum + (pods - meanX) ** 2, 0);
  return under === 0 ? 0 : over / under;
}
