import assert from "node:assert/strict";
import { appendFile, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type ReadLogOptions, readLog, readLogOptions } from "./read-log.ts";

const at = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, "0")}.000000001Z`;
const line = (second: number, text: string, stream = "stdout", tag = "F") =>
  `${at(second)} ${stream} ${tag} ${text}\n`;
const ended = Promise.resolve();
const all: ReadLogOptions = { follow: false, timestamps: false, stream: "All" };

async function inFolder(body: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "peapod-logs-"));
  try {
    await body(join(folder, "0.log"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function text(path: string, options: Partial<ReadLogOptions> = {}): Promise<string> {
  const blocks: Buffer[] = [];
  const source = { path, ended };
  for await (const block of readLog(source, { ...all, ...options }, new AbortController().signal))
    blocks.push(block);
  return Buffer.concat(blocks).toString();
}

test("parts of a line are joined, and a torn last line is left out", () =>
  inFolder(async (path) => {
    await writeFile(
      path,
      `${line(1, "one ", "stdout", "P") + line(1, "line", "stdout", "F") + line(2, "")}2026-01-01T0`,
    );
    assert.equal(await text(path), "one line\n\n");
    assert.equal(await text(path, { timestamps: true }), `${at(1)} one line\n${at(2)} \n`);
  }));

test("--tail counts whole lines from the end, over rotated files", () =>
  inFolder(async (path) => {
    await writeFile(`${path}.20260101-000000`, line(1, "one") + line(2, "two"));
    await writeFile(path, line(3, "thr", "stdout", "P") + line(3, "ee") + line(4, "four"));
    assert.equal(await text(path, { tailLines: 0 }), "");
    assert.equal(await text(path, { tailLines: 1 }), "four\n");
    assert.equal(await text(path, { tailLines: 2 }), "three\nfour\n");
    assert.equal(await text(path, { tailLines: 3 }), "two\nthree\nfour\n");
    assert.equal(await text(path, { tailLines: 99 }), "one\ntwo\nthree\nfour\n");
  }));

test("--tail of a large file reads it from its end", () =>
  inFolder(async (path) => {
    const lines = Array.from({ length: 50_000 }, (_, i) => line(1, `line ${i} ${"x".repeat(i % 97)}`));
    await writeFile(path, lines.join(""));
    const tail = await text(path, { tailLines: 3_000 });
    assert.equal(tail.split("\n").length - 1, 3_000);
    assert.match(tail, /^line 47000 /);
  }));

test("--since leaves out what is older, --limit-bytes cuts, and a stream can be chosen", () =>
  inFolder(async (path) => {
    await writeFile(path, line(1, "old") + line(5, "err", "stderr") + line(6, "new"));
    assert.equal(await text(path, { sinceMs: Date.parse(at(5)) }), "err\nnew\n");
    assert.equal(await text(path, { limitBytes: 6 }), "old\ner");
    assert.equal(await text(path, { stream: "Stderr" }), "err\n");
    assert.equal(await text(path, { stream: "Stdout", tailLines: 2 }), "old\nnew\n");
    assert.equal(readLogOptions({ sinceSeconds: 10 }, 60_000).sinceMs, 50_000);
  }));

test("following goes on over a rotation, and ends with the container", () =>
  inFolder(async (path) => {
    await writeFile(path, line(1, "one"));
    let end = () => {};
    const source = { path, ended: new Promise<void>((resolve) => (end = resolve)) };
    const seen: string[] = [];
    let wake = () => {};
    const until = async (wanted: string) => {
      while (seen.join("") !== wanted) await new Promise<void>((resolve) => (wake = resolve));
    };
    const reading = (async () => {
      for await (const block of readLog(source, { ...all, follow: true }, new AbortController().signal)) {
        seen.push(block.toString());
        wake();
      }
    })();
    await until("one\n");
    await appendFile(path, line(2, "two"));
    await until("one\ntwo\n");
    await rename(path, `${path}.20260101-000002`);
    await writeFile(path, line(3, "three"));
    await until("one\ntwo\nthree\n");
    await appendFile(path, line(4, "last"));
    end();
    await reading;
    assert.equal(seen.join(""), "one\ntwo\nthree\nlast\n");
  }));

test("following a container that never writes ends when it does", () =>
  inFolder(async (path) => {
    const signal = new AbortController().signal;
    const blocks = [];
    for await (const block of readLog(
      { path: `${path}.absent/0.log`, ended },
      { ...all, follow: true },
      signal,
    ))
      blocks.push(block);
    assert.deepEqual(blocks, []);
  }));

test("what was written while a slow reader was behind is read, however often the log was rotated", () =>
  inFolder(async (path) => {
    await writeFile(path, line(1, "one"));
    let end = () => {};
    const source = { path, ended: new Promise<void>((resolve) => (end = resolve)) };
    const blocks = readLog(source, { ...all, follow: true }, new AbortController().signal);
    const first = await blocks.next();
    assert.equal(first.value!.toString(), "one\n");
    // The reader has not asked for more: three files come to be meanwhile, and the first is not there any more.
    await appendFile(path, line(2, "two"));
    for (const [second, text] of [
      [3, "three"],
      [4, "four"],
      [5, "five"],
    ] as const) {
      await rename(path, `${path}.20260101-00000${second}`);
      await writeFile(path, line(second, text));
    }
    end();
    const seen: string[] = [];
    for await (const block of blocks) seen.push(block.toString());
    assert.equal(seen.join(""), "two\nthree\nfour\nfive\n");
  }));
