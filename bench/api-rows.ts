import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ApiClient } from "./api-client.ts";
import type { BenchCluster } from "./bench-cluster.ts";
import { median, megabytes, ms, parallel, percentile, perSecond, type Row, timeMs } from "./measure.ts";
import { storedPod } from "./pod-manifests.ts";

const pods = "/api/v1/namespaces/default/pods";
const table = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" };

/**
 * Concurrent and sequential creates; leaves 5,000 pods. The first 1,000 only warm the server and this client up, as
 * neither has compiled what it will do most.
 */
export async function createRows(client: ApiClient): Promise<Row[]> {
  const create = (i: number) => client.send("POST", pods, JSON.stringify(storedPod(`stored-${i}`, i)));
  await parallel(1000, 64, create);
  const tookMs = await timeMs(() => parallel(3500, 64, (i) => create(1000 + i)));
  const rate = 3500 / (tookMs / 1000);
  const sequential: number[] = [];
  for (let i = 4500; i < 5000; i++) sequential.push(await timeMs(() => create(i)));
  const p50 = median(sequential);
  return [
    {
      what: "sequential create of a pod, p50 (p99)",
      result: `${ms(p50)} (${ms(percentile(sequential, 0.99))})`,
      target: "< 2 ms",
      met: p50 < 2,
    },
    {
      what: "creates of pods, 64 connections",
      result: perSecond(rate),
      target: "≥ 2,700/s",
      met: rate >= 2700,
    },
  ];
}

/** GETs by wrk over TLS, 32 connections. wrk brings no client certificate: a token of an account that may read. */
export function getRow(client: ApiClient, token: string): Row {
  const dir = mkdtempSync(join(tmpdir(), "peapod-wrk-"));
  try {
    const script = join(dir, "get.lua");
    writeFileSync(
      script,
      `wrk.headers["Authorization"] = "Bearer ${token}"\nwrk.headers["Accept"] = "application/json"\n`,
    );
    const url = new URL(`${pods}/stored-1`, client.url).href;
    const runs = [1, 2, 3].map(() => {
      const { stdout } = spawnSync("wrk", ["-t1", "-c32", "-d5s", "-s", script, url], { encoding: "utf8" });
      if (/Non-2xx/.test(stdout)) throw new Error(stdout);
      return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
    });
    const rate = median(runs);
    return {
      what: "GET of one pod, 32 connections, wrk over TLS",
      result: perSecond(rate),
      target: "≥ 11,490/s",
      met: rate >= 11_490,
    };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** By curl, on one kept connection: a client in Node needs longer to take 9 MB than the server to send it. */
export async function listRows(client: ApiClient): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), "peapod-curl-"));
  const lists = 21;
  const file = (name: string, content: Buffer) => {
    writeFileSync(join(dir, name), content, { mode: 0o600 });
    return join(dir, name);
  };
  const { ca, cert, key } = client.tls;
  const who = ["--cacert", file("ca", ca), "--cert", file("cert", cert), "--key", file("key", key)];
  const url = new URL(pods, client.url).href;
  const measure = (headers: Record<string, string>) => {
    const { stdout } = spawnSync(
      "curl",
      [
        ...["-s", "--http1.1", ...who, "-w", "%{http_code} %{time_total} %{size_download}\\n"],
        ...Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]),
        ...Array.from({ length: lists }, () => ["-o", "/dev/null", url]).flat(),
      ],
      { encoding: "utf8" },
    );
    const rows = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" ").map(Number));
    if (rows.length !== lists || rows.some(([code]) => code !== 200)) throw new Error(`curl: ${stdout}`);
    // The first one opens the connection.
    return { p50: median(rows.slice(1).map(([, seconds]) => seconds! * 1000)), bytes: rows[0]![2]! };
  };
  const json = measure({});
  const asTable = measure(table);
  rmSync(dir, { recursive: true });
  return [
    {
      what: `LIST of 5,000 pods, JSON (${megabytes(json.bytes)})`,
      result: ms(json.p50),
      target: "≤ 36 ms",
      met: json.p50 <= 36,
    },
    {
      what: `the same as Table (${megabytes(asTable.bytes)})`,
      result: ms(asTable.p50),
      target: "≤ 28 ms",
      met: asTable.p50 <= 28,
    },
  ];
}

/** From a patch's response to the last of 1,000 watchers' events. */
export async function watchRows(client: ApiClient): Promise<Row[]> {
  const watchers = 1000;
  const path = `${pods}?watch=true&fieldSelector=metadata.name%3Dstored-1&resourceVersion=`;
  // Of the list: the pod's own may be older than what the server remembers.
  const version = async () =>
    (await client.json("GET", `${pods}?limit=1`)).metadata.resourceVersion as string;
  let seen = 0;
  let lastMs = 0;
  let onAll: (() => void) | undefined;
  const onLine = () => {
    lastMs = performance.now();
    if (++seen === watchers) onAll?.();
  };
  const round = async (i: number) => {
    seen = 0;
    const all = new Promise<void>((resolve) => {
      onAll = resolve;
    });
    await client.send(
      "PATCH",
      `${pods}/stored-1`,
      JSON.stringify({ metadata: { annotations: { round: `${i}` } } }),
      {
        "content-type": "application/merge-patch+json",
      },
    );
    const answeredMs = performance.now();
    await all;
    return Math.max(0, lastMs - answeredMs);
  };
  const rounds = async () => {
    const samples: number[] = [];
    for (let i = 0; i < 21; i++) samples.push(await round(i));
    return median(samples);
  };

  const from = await version();
  const open: { close(): void }[] = [];
  await parallel(watchers, 32, async () => open.push(await client.watch(path + from, onLine)));
  const http1 = await rounds();
  for (const watch of open) watch.close();

  const again = await version();
  const sessions = Array.from({ length: watchers / 100 }, () => client.http2());
  for (const session of sessions)
    await parallel(100, 10, () => client.watchHttp2(session, path + again, onLine));
  const http2 = await rounds();
  for (const session of sessions) session.destroy();
  return [
    {
      what: "1,000 watchers, one TLS connection each",
      result: ms(http1),
      target: "≤ 25 ms",
      met: http1 <= 25,
    },
    {
      what: "1,000 watchers, HTTP/2, 100 streams a connection",
      result: ms(http2),
      target: "≤ 9 ms",
      met: http2 <= 9,
    },
  ];
}

/** A few seconds after the last write: what was only there for the writing is given back. */
export async function memoryRow(cluster: BenchCluster, count: number, targetMb: number): Promise<Row> {
  const settleMs = 5_000;
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const bytes = cluster.residentBytes();
  return {
    what: `resident memory with ${count.toLocaleString("en")} pods`,
    result: megabytes(bytes),
    target: `≤ ${targetMb} MB`,
    met: bytes <= targetMb * 1e6,
  };
}

/** Makes the pods of these numbers. */
export async function fill(client: ApiClient, range: { from: number; to: number }): Promise<void> {
  await parallel(range.to - range.from, 64, (i) =>
    client.send("POST", pods, JSON.stringify(storedPod(`more-${range.from + i}`, i))),
  );
}
