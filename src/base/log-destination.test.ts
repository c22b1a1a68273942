import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { LogDestination } from "./log-destination.ts";

/** A pipe that takes 64 KiB, and gives nothing when it is empty. */
function usePipe(use: (fd: number, read: () => string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "peapod-log-"));
  execFileSync("mkfifo", [join(dir, "pipe")]);
  const fd = openSync(join(dir, "pipe"), constants.O_RDWR | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(2 ** 20);
  const read = () => {
    try {
      return buffer.toString("utf8", 0, readSync(fd, buffer));
    } catch {
      return "";
    }
  };
  return use(fd, read).finally(() => {
    closeSync(fd);
    rmSync(dir, { recursive: true });
  });
}

test("a line is written at once", () =>
  usePipe(async (fd, read) => {
    new LogDestination(fd).write("öne\n");
    assert.equal(read(), "öne\n");
  }));

test("lines that find no room wait their turn, and hold nothing up", () =>
  usePipe(async (fd, read) => {
    const destination = new LogDestination(fd);
    const lines = Array.from({ length: 2_000 }, (_, i) => `${String(i).padStart(39)}\n`);
    for (const line of lines) destination.write(line);
    let text = read();
    assert.equal(text.length < 80_000, true);
    while (text.length < 80_000) {
      await new Promise((resolve) => setImmediate(resolve));
      text += read();
    }
    assert.equal(text, lines.join(""));
  }));

test("what waits is bounded", () =>
  usePipe(async (fd, read) => {
    const destination = new LogDestination(fd);
    const line = `${"x".repeat(1_023)}\n`;
    for (let i = 0; i < 1_000; i++) destination.write(line);
    let text = read();
    while (!text.endsWith("last\n")) {
      await new Promise((resolve) => setImmediate(resolve));
      const more = read();
      // All that waited has come.
      if (more) destination.write("last\n");
      text += more;
    }
    assert.equal(text.length <= 3 * 65_536, true);
  }));

test("a disk that never has room ends nothing", () => {
  // Stays open: it is tried again.
  new LogDestination(openSync("/dev/full", "w")).write("lost\n");
});
