/**
 * The child of the crash test: `storm.ts DIR SEED`. Opens the store, writes in a storm until it is killed, and
 * reports on standard output, a line each: `open HEAD`, then `ack KEY REVISION CHECKSUM` (checksum `-`: deleted)
 * for what was acknowledged.
 */
import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import { SeededRandom, SystemClock, silentLog } from "../../../base/index.ts";
import { openLmdbStore } from "../../index.ts";
import type { Entry } from "../../store.ts";

const [dir, seed] = process.argv.slice(2);
const writersCount = 32;
const keysPerWriter = 40;
const valueBytesMax = 12_000;

const checksum = (bytes: Buffer) => createHash("sha1").update(bytes).digest("hex").slice(0, 16);

const random = new SeededRandom(Number(seed));
const store = await openLmdbStore({ dir: dir!, clock: new SystemClock(), log: silentLog });

/** Synchronously: a line is out before anything else can happen, also the end. */
const say = (line: string) => writeSync(1, `${line}\n`);
const pad = (length: number) => String.fromCharCode(97 + Math.floor(random.fraction() * 26)).repeat(length);

function draft(key: string) {
  const filler = pad(Math.floor(random.fraction() * valueBytesMax));
  return (revision: number) => {
    const object = { metadata: { name: key, resourceVersion: String(revision) }, filler };
    return { bytes: Buffer.from(JSON.stringify(object)) };
  };
}

/** Each writer has keys of its own, so that the order of acknowledgements is the order of what it wrote. */
async function write(writer: number): Promise<never> {
  for (;;) {
    const key = `/storm/${writer}/${Math.floor(random.fraction() * keysPerWriter)}`;
    const current: Entry | undefined = await store.get(key);
    const expect = current?.revision ?? 0;
    if (current && random.fraction() < 0.2) {
      const tombstone = await store.delete(key, draft(key), { expect });
      say(`ack ${key} ${tombstone.revision} -`);
    } else {
      const entry = await store.put(key, draft(key), { expect });
      say(`ack ${key} ${entry.revision} ${checksum(entry.bytes)}`);
    }
  }
}

say(`open ${store.head}`);
await Promise.all(Array.from({ length: writersCount }, (_, writer) => write(writer)));
