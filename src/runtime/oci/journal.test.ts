import assert from "node:assert/strict";
import { appendFile, mkdir, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { silentLog } from "../../base/index.ts";
import { Journal } from "./journal.ts";

const dir = await mkdtemp(join(tmpdir(), "peapod-journal-"));
after(() => rm(dir, { recursive: true, force: true }));

const path = join(dir, "journal");
beforeEach(() => rm(path, { force: true }));

interface Entry {
  id: string;
  value: number | null;
}

/** The values of some things, which is what is live. */
class Values {
  readonly known = new Map<string, number>();
  readonly journal = new Journal({
    path,
    live: () => [...this.known].map(([id, value]): Entry => ({ id, value })),
    log: silentLog,
  });

  static async open(): Promise<Values> {
    const values = new Values();
    await values.journal.load(({ id, value }: Entry) => {
      if (value === null) values.known.delete(id);
      else values.known.set(id, value);
    });
    return values;
  }

  set(id: string, value: number): Promise<void> {
    this.known.set(id, value);
    return this.journal.append({ id, value });
  }

  delete(id: string): Promise<void> {
    this.known.delete(id);
    return this.journal.append({ id, value: null });
  }
}

test("what was appended is there after a restart, in order, whatever was written at once", async () => {
  const values = await Values.open();
  await Promise.all([values.set("a", 1), values.set("b", 2), values.set("a", 3), values.delete("b")]);
  await values.set("c", 4);
  // Not closed: as after kill -9.
  const again = await Values.open();
  assert.deepEqual([...again.known].sort(), [
    ["a", 3],
    ["c", 4],
  ]);
  await values.journal.close();
  await again.journal.close();
});

test("an entry that a crash cut short is dropped, and those after it are not lost", async () => {
  const values = await Values.open();
  await values.set("a", 1);
  await values.journal.close();
  await appendFile(path, '{"id":"b","val');
  const again = await Values.open();
  await again.set("c", 3);
  await again.journal.close();
  const third = await Values.open();
  assert.deepEqual([...third.known.keys()], ["a", "c"]);
  await third.journal.close();
});

test("the file holds what is live a few times over at most, however much was appended", async () => {
  const values = await Values.open();
  const padding = "x".repeat(10_000);
  for (let i = 0; i < 3_000; i++) await values.journal.append({ id: padding, value: null });
  await values.set("a", 1);
  assert.ok((await stat(path)).size < 5 * 1024 * 1024);
  await values.journal.close();
  const again = await Values.open();
  assert.deepEqual([...again.known], [["a", 1]]);
  await again.journal.close();
});

test("after the journal is closed nothing is written any more", async () => {
  const values = await Values.open();
  await values.journal.close();
  const before = await readFile(path, "utf8");
  await values.set("a", 1);
  assert.equal(await readFile(path, "utf8"), before);
});

test("a journal that cannot be read is an error, not an empty one", async () => {
  await mkdir(path);
  await assert.rejects(Values.open(), { code: "EISDIR" });
  await rm(path, { recursive: true });
});
