/*
 * The benchmark: every row of the result is measured here and now, on real pods, over real TLS, in one run.
 *
 *   node --import tsx bench/run.ts            everything
 *   node --import tsx bench/run.ts start pods some parts: start, pods, node, idle, memory, api, streams
 */
import { findKubectl } from "../src/cli/index.ts";
import { createRows, fill, getRow, listRows, memoryRow, watchRows } from "./api-rows.ts";
import { BenchCluster, imagesDir, kubectlDir } from "./bench-cluster.ts";
import { createHandmade } from "./by-hand.ts";
import { loopDelayRow } from "./loop-rows.ts";
import { median, megabytes, ms, printTable, type Row } from "./measure.ts";
import { configMapRow, crowdedNodeRows, fullPodRow, restartRow } from "./node-rows.ts";
import { crowdRow, podRows } from "./pod-rows.ts";
import { streamRows } from "./stream-rows.ts";

type Part = "start" | "pods" | "node" | "idle" | "memory" | "api" | "streams";

const parts: Record<Part, () => Promise<Row[]>> = {
  start: startRows,
  pods: realPodRows,
  node: nodeRows,
  idle: idleRows,
  memory: memoryRows,
  api: apiRows,
  streams: realStreamRows,
};

/** From spawn to `/readyz`, on an empty data directory and on one that has been used. */
async function startRows(): Promise<Row[]> {
  const empty: number[] = [];
  const existing: number[] = [];
  for (let i = 0; i < 20; i++) {
    const cluster = new BenchCluster();
    try {
      empty.push(await cluster.coldStartMs());
      existing.push(await cluster.coldStartMs());
    } finally {
      cluster.down();
    }
  }
  const [first, again] = [median(empty), median(existing)];
  return [
    {
      what: "start until /readyz, existing data directory",
      result: ms(again),
      target: "≤ 400 ms",
      met: again <= 400,
    },
    {
      what: "start until /readyz, empty data directory",
      result: ms(first),
      target: "≤ 800 ms",
      met: first <= 800,
    },
  ];
}

async function realPodRows(): Promise<Row[]> {
  const cluster = new BenchCluster();
  const handmade = await createHandmade({ imagesDir });
  try {
    await cluster.up();
    cluster.image("pull", "nginx");
    cluster.image("pull", "busybox");
    return [...(await podRows(cluster, handmade)), await crowdRow(cluster)];
  } finally {
    await handmade.close();
    cluster.down();
  }
}

async function nodeRows(): Promise<Row[]> {
  const cluster = new BenchCluster();
  const handmade = await createHandmade({ imagesDir });
  try {
    await cluster.up();
    cluster.image("pull", "nginx");
    cluster.image("pull", "busybox");
    return [
      await fullPodRow(cluster, handmade),
      await configMapRow(cluster),
      await restartRow(cluster),
      ...(await crowdedNodeRows(cluster)),
    ];
  } finally {
    await handmade.close();
    cluster.down();
  }
}

async function idleRows(): Promise<Row[]> {
  const cluster = new BenchCluster();
  try {
    await cluster.up();
    const settleMs = 15_000;
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    const cpuBefore = cluster.cpuS();
    const windowMs = 60_000;
    await new Promise((resolve) => setTimeout(resolve, windowMs));
    const cpu = ((cluster.cpuS() - cpuBefore) / (windowMs / 1000)) * 100;
    const bytes = cluster.residentBytes();
    return [
      {
        what: "resident memory, idle, node Ready",
        result: megabytes(bytes),
        target: "≤ 150 MB",
        met: bytes <= 150e6,
      },
      { what: "idle CPU", result: `${cpu.toFixed(2)} % of a core`, target: "< 0.5 %", met: cpu < 0.5 },
    ];
  } finally {
    cluster.down();
  }
}

async function realStreamRows(): Promise<Row[]> {
  const cluster = new BenchCluster();
  try {
    await cluster.up();
    cluster.image("pull", "busybox");
    return await streamRows(cluster, findKubectl(process.env.PATH ?? "", kubectlDir));
  } finally {
    cluster.down();
  }
}

/** From a clean start. */
async function memoryRows(): Promise<Row[]> {
  const cluster = new BenchCluster();
  try {
    await cluster.up();
    await fill(cluster.client, { from: 0, to: 5_000 });
    const rows = [await memoryRow(cluster, 5_000, 240)];
    await fill(cluster.client, { from: 5_000, to: 20_000 });
    return [...rows, await memoryRow(cluster, 20_000, 300)];
  } finally {
    cluster.down();
  }
}

async function apiRows(): Promise<Row[]> {
  const cluster = new BenchCluster();
  try {
    await cluster.up();
    const { client } = cluster;
    const rows = await createRows(client);
    const token = await readerToken(cluster);
    rows.push(getRow(client, token));
    rows.push(...(await listRows(client)));
    rows.push(...(await watchRows(client)));
    await fill(client, { from: 5_000, to: 20_000 });
    rows.push(await loopDelayRow(cluster, token));
    return rows;
  } finally {
    cluster.down();
  }
}

/** wrk cannot show a client certificate; the garbage collector's account may read everything. */
async function readerToken(cluster: BenchCluster): Promise<string> {
  const accounts = "/api/v1/namespaces/kube-system/serviceaccounts";
  const name = "generic-garbage-collector";
  await cluster.client.json("POST", accounts, {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name },
  });
  const request = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { expirationSeconds: 3600 },
  };
  return (await cluster.client.json("POST", `${accounts}/${name}/token`, request)).status.token;
}

const asked = process.argv.slice(2) as Part[];
const rows: Row[] = [];
for (const part of asked.length ? asked : (Object.keys(parts) as Part[])) {
  const measured = await parts[part]();
  rows.push(...measured);
  printTable(measured);
}
console.log("");
printTable(rows);
