import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ApiClient } from "./api-client.ts";
import type { BenchCluster } from "./bench-cluster.ts";
import { ms, parallel, type Row } from "./measure.ts";
import { storedPod } from "./pod-manifests.ts";

const pods = "/api/v1/namespaces/default/pods";
const loadS = 20;
const createsWide = 8;
const createsCount = 2_000;
const watchers = 1_000;
const streamsPerConnection = 100;

/** The server's event loop, as it says itself, while reads, lists, writes and watches keep it busy together. */
export async function loopDelayRow(cluster: BenchCluster, token: string): Promise<Row> {
  const { client } = cluster;
  const sessions = await openWatches(client);
  await readLoopDelay(client);
  const untilMs = performance.now() + loadS * 1_000;
  const lists = async (headers: Record<string, string>) => {
    while (performance.now() < untilMs) await client.send("GET", `${pods}?limit=5000`, undefined, headers);
  };
  const patches = async () => {
    for (let i = 0; performance.now() < untilMs; i++) await annotate(client, i);
  };
  const creates = parallel(createsCount, createsWide, async (i) => {
    if (performance.now() < untilMs)
      await client.send("POST", pods, JSON.stringify(storedPod(`late-${i}`, i)));
  });
  const asTable = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
  const gets = wrk(new URL(`${pods}/stored-1`, client.url).href, token);
  await Promise.all([lists({}), lists({ accept: asTable }), patches(), creates, gets]);
  const { p99Ms, maxMs } = await readLoopDelay(client);
  for (const session of sessions) session.destroy();
  return {
    what: "the event loop's delay at 20,000 pods under load, p99 / max",
    result: `${ms(p99Ms)} / ${ms(maxMs)}`,
    target: "≤ 10 / 50 ms",
    met: p99Ms <= 10 && maxMs <= 50,
  };
}

async function openWatches(client: ApiClient) {
  const { metadata } = await client.json("GET", `${pods}?limit=1`);
  const path = `${pods}?watch=true&fieldSelector=metadata.name%3Dstored-1&resourceVersion=${metadata.resourceVersion}`;
  const sessions = Array.from({ length: watchers / streamsPerConnection }, () => client.http2());
  for (const session of sessions)
    await parallel(streamsPerConnection, 10, () => client.watchHttp2(session, path, () => {}));
  return sessions;
}

function annotate(client: ApiClient, round: number): Promise<Buffer> {
  const body = JSON.stringify({ metadata: { annotations: { loop: `${round}` } } });
  return client.send("PATCH", `${pods}/stored-1`, body, { "content-type": "application/merge-patch+json" });
}

/** Since the last reading. */
async function readLoopDelay(client: ApiClient): Promise<{ p99Ms: number; maxMs: number }> {
  const text = (await client.send("GET", "/metrics")).toString();
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)![1]) * 1_000;
  return {
    p99Ms: value("nodejs_eventloop_lag_p99_seconds"),
    maxMs: value("nodejs_eventloop_lag_max_seconds"),
  };
}

async function wrk(url: string, token: string): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "peapod-wrk-"));
  try {
    const script = join(dir, "get.lua");
    writeFileSync(script, `wrk.headers["Authorization"] = "Bearer ${token}"\n`);
    const child = spawn("wrk", ["-t1", "-c32", `-d${loadS}s`, "-s", script, url], { stdio: "ignore" });
    await new Promise((resolve, reject) => child.once("exit", resolve).once("error", reject));
  } finally {
    rmSync(dir, { recursive: true });
  }
}
