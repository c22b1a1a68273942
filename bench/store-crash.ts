/**
 * Kills a storm of writes a hundred times: `npx tsx bench/store-crash.ts [ROUNDS] [SEED]`.
 * Exits with 1 at the first acknowledged write that is lost. The seed is printed, to try again.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crashRounds } from "../src/store/lmdb/testing/crash-rounds.ts";

const rounds = Number(process.argv[2] ?? 100);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const dir = mkdtempSync(join(tmpdir(), "peapod-crash-"));
const startMs = performance.now();
try {
  const { acknowledged, head } = await crashRounds({ dir, rounds, seed });
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  console.log(
    `${rounds} kills in ${seconds} s (seed ${seed}): ${acknowledged} acknowledged writes, none lost, none torn; head ${head}`,
  );
} finally {
  rmSync(dir, { recursive: true, force: true });
}
