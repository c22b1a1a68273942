/**
 * The store's benchmark: `npx tsx bench/store.ts [DIR]`.
 *
 * Durable puts of 3 KB at 1, 16 and 64 at once, and what 20,000 pods of 1.8 KB cost: to open, and in memory.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SystemClock, silentLog } from "../src/base/index.ts";
import { openLmdbStore, type Store } from "../src/store/index.ts";

const putsBytes = 3_000;
const runMs = 2_000;
const podBytes = 1_800;
const podCount = 20_000;

const parent = process.argv[2] ?? tmpdir();
mkdirSync(parent, { recursive: true });
const dir = mkdtempSync(join(parent, "peapod-bench-store-"));
const clock = new SystemClock();
const openStore = () => openLmdbStore({ dir, clock, log: silentLog });

function draft(bytes: number) {
  const filler = "x".repeat(bytes - 60);
  return (revision: number) => ({
    bytes: Buffer.from(`{"metadata":{"resourceVersion":"${revision}"},"data":"${filler}"}`),
  });
}

const megabytes = (bytes: number) => Math.round(bytes / 1e6);
const rssMb = () => megabytes(process.memoryUsage().rss);

async function putsAt(store: Store, concurrent: number): Promise<void> {
  const latenciesMs: number[] = [];
  const make = draft(putsBytes);
  const endMs = performance.now() + runMs;
  let name = 0;
  const writer = async () => {
    while (performance.now() < endMs) {
      const startMs = performance.now();
      await store.put(`/bench/${concurrent}/${String(name++).padStart(8, "0")}`, make, { expect: 0 });
      latenciesMs.push(performance.now() - startMs);
    }
  };
  await Promise.all(Array.from({ length: concurrent }, writer));
  latenciesMs.sort((a, b) => a - b);
  const at = (share: number) => latenciesMs[Math.floor(latenciesMs.length * share)]!.toFixed(2);
  const rate = Math.round((latenciesMs.length / runMs) * 1_000);
  console.log(
    `${String(concurrent).padStart(3)} at once  ${rate} puts/s  p50 ${at(0.5)} ms  p99 ${at(0.99)} ms`,
  );
}

async function fill(store: Store): Promise<void> {
  const make = draft(podBytes);
  let next = 0;
  const writer = async () => {
    while (next < podCount) {
      await store.put(`/registry/pods/default/pod-${String(next++).padStart(6, "0")}`, make, { expect: 0 });
    }
  };
  await Promise.all(Array.from({ length: 64 }, writer));
}

try {
  console.log(`durable puts of ${putsBytes} bytes in ${dir}`);
  let store = await openStore();
  for (const concurrent of [1, 16, 64]) await putsAt(store, concurrent);
  await store.close();
  rmSync(dir, { recursive: true, force: true });

  store = await openStore();
  await fill(store);
  await store.close();
  const beforeMb = rssMb();
  const startMs = performance.now();
  store = await openStore();
  const openMs = performance.now() - startMs;
  console.log(
    `open with ${podCount} pods of ${podBytes} bytes: ${openMs.toFixed(0)} ms, ${rssMb() - beforeMb} MB more resident`,
  );
  const listMs = performance.now();
  const { entries } = await store.range("/registry/pods/");
  console.log(`range over ${entries.length}: ${(performance.now() - listMs).toFixed(1)} ms`);
  await store.close();
} finally {
  rmSync(dir, { recursive: true, force: true });
}
