import { readFileSync } from "node:fs";
import { basename } from "node:path";
import type { BenchCluster } from "./bench-cluster.ts";
import type { Handmade } from "./by-hand.ts";
import { median, ms, type Row } from "./measure.ts";
import { fullPod, fullPodObjects, onePod, probedPod, readerPod } from "./pod-manifests.ts";
import { PodWatch, pods } from "./pod-watch.ts";

/** Three init containers, two sidecars, two containers and six volumes, in turn with the same by hand. */
export async function fullPodRow(cluster: BenchCluster, byHand: Handmade, runs = 15): Promise<Row> {
  const { client } = cluster;
  for (const object of fullPodObjects) {
    await client.json("POST", `/api/v1/namespaces/default/${object.kind.toLowerCase()}s`, object);
  }
  const watch = await PodWatch.open(cluster);
  const hand: number[] = [];
  const ours: number[] = [];
  for (let i = -2; i < runs; i++) {
    const { upMs } = await byHand.fullPod();
    const name = `full-${i + 2}`;
    const ready = watch.ready(name);
    const startMs = performance.now();
    await client.send("POST", pods, JSON.stringify(fullPod(name)));
    await ready;
    const tookMs = performance.now() - startMs;
    const gone = watch.gone(name);
    await client.send("DELETE", `${pods}/${name}`);
    await gone;
    if (i < 0) continue; // Warm-up.
    hand.push(upMs);
    ours.push(tookMs);
  }
  const [a, b] = [median(ours), median(hand)];
  return {
    what: "3 init containers, 2 sidecars, 2 containers, 6 volumes: POST until Ready (by hand)",
    result: `${ms(a)} (${ms(b)}): ${(a / b).toFixed(2)} ×`,
    target: "≤ 2 × by hand",
    met: a <= 2 * b,
  };
}

/** From the PUT until a container that looks every 5 ms has told of the new text, over its log. */
export async function configMapRow(cluster: BenchCluster, runs = 20): Promise<Row> {
  const { client } = cluster;
  const configMaps = "/api/v1/namespaces/default/configmaps";
  const object = (value: string) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "read" },
    data: { key: value },
  });
  await client.json("POST", configMaps, object("start"));
  const watch = await PodWatch.open(cluster);
  const ready = watch.ready("reader");
  await client.send("POST", pods, JSON.stringify(readerPod("reader", "read")));
  await ready;
  let told: (line: string) => void = () => {};
  const log = await client.watch(`${pods}/reader/log?follow=true`, (line) => told(line.toString()));
  const samples: number[] = [];
  for (let i = 0; i < runs; i++) {
    const value = `value-${i}`;
    const seen = new Promise<void>((resolve) => {
      told = (line) => line === value && resolve();
    });
    const startMs = performance.now();
    await client.json("PUT", `${configMaps}/read`, object(value));
    await seen;
    samples.push(performance.now() - startMs);
  }
  log.close();
  const gone = watch.gone("reader");
  await client.send("DELETE", `${pods}/reader?gracePeriodSeconds=0`);
  await gone;
  const tookMs = median(samples);
  return {
    what: "update of a configMap until a running container reads the new file",
    result: ms(tookMs),
    target: "≤ 100 ms",
    met: tookMs <= 100,
  };
}

/** From the SIGKILL of a container's process until its status shows the next one running. */
export async function restartRow(cluster: BenchCluster, runs = 15): Promise<Row> {
  const { client } = cluster;
  const watch = await PodWatch.open(cluster);
  const samples: number[] = [];
  for (let i = 0; i < runs; i++) {
    const name = `restarted-${i}`;
    const ready = watch.ready(name);
    await client.send("POST", pods, JSON.stringify(onePod(name)));
    await ready;
    const { status } = await client.json("GET", `${pods}/${name}`);
    const pid = pidOf(cluster, status.containerStatuses[0].containerID);
    const again = watch.until(
      name,
      ({ status: { containerStatuses } }) =>
        containerStatuses[0].restartCount === 1 && containerStatuses[0].state.running,
    );
    const startMs = performance.now();
    process.kill(pid, "SIGKILL");
    await again;
    samples.push(performance.now() - startMs);
    const gone = watch.gone(name);
    await client.send("DELETE", `${pods}/${name}?gracePeriodSeconds=0`);
    await gone;
  }
  const tookMs = median(samples);
  return {
    what: "container exit until its restart is running (no back-off due)",
    result: ms(tookMs),
    target: "≤ 60 ms",
    met: tookMs <= 60,
  };
}

/** The engine's run folder has a bundle a container, with the process's pid. */
function pidOf(cluster: BenchCluster, containerId: string): number {
  return Number(readFileSync(`${cluster.runDir}/bundles/${basename(containerId)}/pid`, "utf8"));
}

const crowd = 100;
/** Of the first and of the last; one start alone says little. */
const startsCompared = 8;

/** A hundred pods on one node: what the last ones' start costs, and what all of them cost when nothing happens. */
export async function crowdedNodeRows(cluster: BenchCluster, windowMs = 60_000): Promise<Row[]> {
  const { client } = cluster;
  const watch = await PodWatch.open(cluster);
  const start = async (name: string) => {
    const ready = watch.ready(name);
    const startMs = performance.now();
    await client.send("POST", pods, JSON.stringify(probedPod(name)));
    await ready;
    return performance.now() - startMs;
  };
  const stop = async (name: string) => {
    const gone = watch.gone(name);
    await client.send("DELETE", `${pods}/${name}?gracePeriodSeconds=0`);
    await gone;
  };
  // What a young process has to compile is not the node's crowdedness.
  for (let i = 0; i < 20; i++) {
    await start(`warm-${i}`);
    await stop(`warm-${i}`);
  }
  const samples: number[] = [];
  for (let i = 0; i < crowd; i++) samples.push(await start(`crowd-${i}`));
  const first = median(samples.slice(0, startsCompared));
  const last = median(samples.slice(-startsCompared));
  const settleMs = 15_000;
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const before = cluster.cpuS();
  await new Promise((resolve) => setTimeout(resolve, windowMs));
  const cpu = ((cluster.cpuS() - before) / (windowMs / 1000)) * 100;
  await Promise.all(samples.map((_, i) => stop(`crowd-${i}`)));
  return [
    {
      what: `the ${crowd}th pod's start on one node against the 1st (medians of ${startsCompared})`,
      result: `${ms(last)} (${ms(first)}): ${(last / first).toFixed(2)} ×`,
      target: "≤ 1.2 ×",
      met: last <= 1.2 * first,
    },
    {
      what: `${crowd} idle pods with probes every 10 s: the agent's CPU`,
      result: `${cpu.toFixed(1)} % of a core`,
      target: "≤ 3 %",
      met: cpu <= 3,
    },
  ];
}
