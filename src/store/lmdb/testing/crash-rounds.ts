import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { SeededRandom, SystemClock, silentLog } from "../../../base/index.ts";
import { openLmdbStore } from "../../index.ts";
import type { Store } from "../../store.ts";

const source = fileURLToPath(new URL("./storm.ts", import.meta.url));
/** Beside the packages it needs. */
const cache = fileURLToPath(new URL("../../../../node_modules/.cache/", import.meta.url));
const stormMsMax = 100;
const checksum = (bytes: Buffer) => createHash("sha1").update(bytes).digest("hex").slice(0, 16);

interface Acknowledged {
  revision: number;
  /** Undefined: deleted. */
  checksum: string | undefined;
}

/**
 * Lets a process write to a store in a storm, kills it with SIGKILL at a random moment, and checks what is left;
 * again and again in one directory. Throws at the first acknowledged write that is lost, or entry that is torn.
 */
export async function crashRounds(options: { dir: string; rounds: number; seed: number }) {
  const random = new SeededRandom(options.seed);
  const known = new Map<string, Acknowledged>();
  const program = join(cache, `peapod-storm-${process.pid}.mjs`);
  // Built once: a child that compiles TypeScript takes longer to start than to be killed.
  await build({
    entryPoints: [source],
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    outfile: program,
  });
  let acknowledged = 0;
  let head = 1;
  try {
    for (let round = 0; round < options.rounds; round++) {
      const seed = Math.floor(random.fraction() * 2 ** 31);
      const afterMs = random.fraction() * stormMsMax;
      const lines = await storming([program, options.dir, String(seed)], afterMs);
      acknowledged += note(lines, known, head);
      head = await checkAll(options.dir, known, head, `seed ${options.seed}, round ${round}`);
    }
  } finally {
    rmSync(program, { force: true });
  }
  return { acknowledged, head };
}

/** Runs the storm, kills it `afterMs` after it began, and returns what it said. */
async function storming(command: string[], afterMs: number): Promise<string[]> {
  const child = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const lines: string[] = [];
    const reader = createInterface(child.stdout);
    reader.on("line", (line) => lines.push(line));
    const closed = once(reader, "close");
    await Promise.race([once(reader, "line"), closed]);
    assert.equal(child.exitCode, null, "the storm began");
    await sleep(afterMs);
    child.kill("SIGKILL");
    await closed;
    return lines;
  } finally {
    child.kill("SIGKILL");
  }
}

function note(lines: readonly string[], known: Map<string, Acknowledged>, headBefore: number): number {
  const [open, ...acks] = lines;
  assert.equal(open, `open ${headBefore}`, "the head is where it was");
  for (const line of acks) {
    const match = /^ack (\S+) (\d+) (\S+)$/.exec(line);
    // The last line may be cut off; then nobody was told.
    if (!match) continue;
    const [, key, revision, sum] = match;
    known.set(key!, { revision: Number(revision), checksum: sum === "-" ? undefined : sum });
  }
  return acks.length;
}

/** Opens the store and compares. Returns its head; what was written but not acknowledged becomes known. */
async function checkAll(
  dir: string,
  known: Map<string, Acknowledged>,
  headBefore: number,
  where: string,
): Promise<number> {
  const store = await openLmdbStore({ dir, clock: new SystemClock(), log: silentLog });
  try {
    const revisionMax = Math.max(headBefore, ...Array.from(known.values(), ({ revision }) => revision));
    assert.ok(store.head >= revisionMax, `${where}: head ${store.head} is before ${revisionMax}`);
    const { entries } = await store.range("/storm/");
    for (const entry of entries) {
      const { metadata } = entry.object;
      assert.equal(metadata.name, entry.key, `${where}: ${entry.key} holds another key's value`);
      assert.equal(metadata.resourceVersion, String(entry.revision), `${where}: ${entry.key} is torn`);
      assert.ok(entry.revision <= store.head, `${where}: ${entry.key} is newer than the head`);
    }
    const unheard = await compare(store, known, where);
    for (const [writer, keys] of unheard) {
      assert.ok(
        keys.length <= 1,
        `${where}: writer ${writer} had one write on its way, not ${keys.join(", ")}`,
      );
    }
    return store.head;
  } finally {
    await store.close();
  }
}

/**
 * Each acknowledged write is there, or what the same writer wrote after it: one write, for which the answer
 * was on its way. Returns those, by writer.
 */
async function compare(store: Store, known: Map<string, Acknowledged>, where: string) {
  const unheard = new Map<string, string[]>();
  const { entries } = await store.range("/storm/");
  const keys = new Set([...known.keys(), ...entries.map((entry) => entry.key)]);
  for (const key of keys) {
    const expected = known.get(key) ?? { revision: 0, checksum: undefined };
    const entry = await store.get(key);
    const found = entry && checksum(entry.bytes);
    if (entry?.revision === expected.revision || (!entry && expected.checksum === undefined)) {
      assert.equal(found, expected.checksum, `${where}: ${key} changed`);
      continue;
    }
    assert.ok(
      !entry || entry.revision > expected.revision,
      `${where}: ${key} went back to ${entry?.revision}`,
    );
    const writer = key.split("/")[2]!;
    unheard.set(writer, [...(unheard.get(writer) ?? []), key]);
    known.set(key, { revision: entry?.revision ?? store.head, checksum: found });
  }
  return unheard;
}
