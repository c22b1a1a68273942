/*
 * The soak: pods started and deleted on a real cluster, many at a time, until something leaks.
 *
 *   node --import tsx bench/soak.ts [pods] [at a time] [minutes afterwards]
 *
 * Prints how long it took, how memory went, and what the host has afterwards that it had not before; exits with 1 if
 * there is any. Memory goes back within ten minutes of quiet: history is five minutes long.
 */
import { setTimeout } from "node:timers/promises";
import { type MemorySample, memoryOf, slopeOf, soak } from "../test/support/soak.ts";
import { BenchCluster } from "./bench-cluster.ts";

const pods = Number(process.argv[2] ?? 2_000);
const parallel = Number(process.argv[3] ?? 8);
const minutesAfter = Number(process.argv[4] ?? 0);
const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MB`;
const line = ({ pods: done, anonymousBytes, residentBytes }: MemorySample) =>
  `${String(done).padStart(6)} pods  resident ${megabytes(residentBytes)}  of that anonymous ${megabytes(anonymousBytes)}`;

const cluster = new BenchCluster();
try {
  await cluster.up();
  const { dataDir, kubeconfig, pid } = cluster;
  const tenth = Math.max(Math.floor(pods / 10), 1);
  const { grown, memory, tookMs } = await soak(
    { dataDir, kubeconfig, pid },
    {
      pods,
      parallel,
      progress: (done, sample) => done % tenth === 0 && console.log(line(sample)),
    },
  );
  const slope = (of: "residentBytes" | "anonymousBytes") =>
    `${(slopeOf(memory, of) / 1_024).toFixed(2)} KB a pod`;
  console.log(
    `${pods} pods, ${parallel} at a time: ${(tookMs / 1_000).toFixed(1)} s, ${(pods / (tookMs / 1_000)).toFixed(1)} a second`,
  );
  console.log(
    `memory, second half: resident ${slope("residentBytes")}, anonymous ${slope("anonymousBytes")}`,
  );
  const kinds = Object.entries(grown);
  console.log(kinds.length === 0 ? "the host is as it was" : "left on the host:");
  for (const [kind, things] of kinds) {
    console.log(`  ${kind}: ${things.length}`);
    for (const thing of things.slice(0, 10)) console.log(`    ${thing}`);
  }
  for (let minute = 1; minute <= minutesAfter; minute++) {
    await setTimeout(60_000);
    const { anonymousBytes, residentBytes } = memoryOf(pid);
    console.log(
      `${minute} min afterwards: resident ${megabytes(residentBytes)}, anonymous ${megabytes(anonymousBytes)}`,
    );
  }
  process.exitCode = kinds.length === 0 ? 0 : 1;
} finally {
  cluster.down();
}
