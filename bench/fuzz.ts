/*
 * Wrong requests at a whole cluster in this process, for as long as one likes; the suite has a short one
 * (`test/fuzz.test.ts`). What is found is printed with its seed, and ends it with exit code 1.
 *
 *   node --import tsx bench/fuzz.ts [STORMS] [REQUESTS] [FIRST-SEED]
 */
import { storm } from "../test/support/fuzz/storm.ts";

const [storms = 100, requests = 2_000, first = 1] = process.argv.slice(2).map(Number);
let found = 0;
for (let seed = first; seed < first + storms; seed++) {
  const { created, findings } = await storm({ seed, requests });
  found += findings.length;
  console.log(`seed ${seed}: ${requests} requests, ${created} objects made, ${findings.length} findings`);
  for (const finding of new Set(findings)) console.log(`  ${finding}`);
}
process.exitCode = found > 0 ? 1 : 0;
