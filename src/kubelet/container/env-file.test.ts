import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readEnvFile, valueInEnvFile } from "./env-file.ts";

const file = [
  "# a comment, then nothing",
  "",
  "  MODE='fast' # as it was",
  "EMPTY=''",
  "SHELL= 'sets nothing'",
  "LONG='one",
  "# no comment",
  'two = "three"\'',
  "MODE='the second does not count'",
  "a.b-c='dots'",
].join("\n");

for (const [key, value] of [
  ["MODE", "fast"],
  ["EMPTY", undefined],
  ["SHELL", undefined],
  ["LONG", 'one\n# no comment\ntwo = "three"'],
  ["a.b-c", "dots"],
  ["NOBODY", undefined],
] as const) {
  test(`an env file says of ${key}: ${JSON.stringify(value)}`, () => {
    assert.equal(valueInEnvFile(file, key), value);
    assert.equal(valueInEnvFile(`${file.replaceAll("\n", "\r\n")}\r\n`, key), value);
  });
}

for (const [text, why] of [
  ["A='1'\nB", "line 2: missing '='"],
  ["='1'", "line 1: empty variable name"],
  ["A = '1'", "line 1: whitespace before '=' is not allowed"],
  ["A=1", "line 1: value must be enclosed in single quotes"],
  ['\nA="1"', "line 2: value must be enclosed in single quotes"],
  ["A=", "line 1: value must be enclosed in single quotes"],
  ["A='1\n2\n", "line 1: unclosed single quote"],
  ["A='1' 2", "line 1: unexpected content after closing quote"],
] as const) {
  test(`an env file of ${JSON.stringify(text)} is told to be wrong, unless the key stands before that`, () => {
    assert.throws(() => valueInEnvFile(text, "Z"), {
      message: `invalid environment variable format at ${why}`,
    });
    assert.equal(valueInEnvFile(`Z='z'\n${text}`, "Z"), "z");
  });
}

test("a file that is not there, is none, or is too long is no env file", async () => {
  const dir = await mkdtemp(join(tmpdir(), "peapod-env-file-"));
  try {
    const volumes = new Map([["v", { hostPath: dir } as never]]);
    const read = (path: string, optional = false) =>
      readEnvFile(volumes, { volumeName: "v", path, key: "A", optional });
    await assert.rejects(read("gone"), /^Error: couldn't parse env file: there is no file "gone"/);
    assert.equal(await read("gone", true), undefined);
    execFileSync("mkfifo", [join(dir, "pipe")]);
    await assert.rejects(read("pipe"), /couldn't parse env file: it is no file/);
    await writeFile(join(dir, "long"), "#".repeat((1 << 20) + 1));
    await assert.rejects(read("long"), /couldn't parse env file: it is longer than 1048576 bytes/);
    await writeFile(join(dir, "good"), "A='a'\n");
    assert.equal(await read("good"), "a");
    await assert.rejects(
      readEnvFile(new Map(), { volumeName: "v", path: "good", key: "A" }),
      /cannot find the volume "v" referenced by FileKeyRef/,
    );
  } finally {
    await rm(dir, { recursive: true });
  }
});
