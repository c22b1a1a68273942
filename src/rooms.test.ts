import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const src = dirname(fileURLToPath(import.meta.url));

/** Which room may use which: only rooms of a lower layer. Rooms of one layer do not know each other. */
const layers: readonly (readonly string[])[] = [
  ["base"],
  ["machinery"],
  ["api"],
  ["store", "client"],
  ["auth", "admission", "runtime", "network"],
  ["apiserver", "scheduler", "controllers", "kubelet"],
  ["cli", "testing"],
];

/** Neighbours of one layer that may be used all the same, and why. */
const neighbours: Record<string, readonly string[]> = {
  // Admission decides by who asks.
  admission: ["auth"],
  // The network implements the contract that the engine states.
  network: ["runtime"],
};

const layerOf = (room: string) => layers.findIndex((rooms) => rooms.includes(room));

function sources(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.tsx?$/.test(entry.name) ? [path] : [];
  });
}

const importPattern = /(?:from|import)\s*\(?\s*"(\.[^"]+)"/g;

function violations(): string[] {
  const found: string[] = [];
  for (const file of sources(src)) {
    const [room, ...rest] = relative(src, file).split("/");
    // The composition root and the command line's entry wire everything.
    if (rest.length === 0) continue;
    const isTest = /\.(test|suite|bench)\.tsx?$/.test(file);
    for (const [, target] of readFileSync(file, "utf8").matchAll(importPattern)) {
      const [targetRoom, ...inner] = relative(src, join(dirname(file), target!)).split("/");
      if (targetRoom === room) continue;
      const where = `${relative(src, file)} imports ${target}`;
      // A test may stand on any room below the command line; it still enters by the door.
      const allowed =
        isTest || layerOf(targetRoom!) < layerOf(room!) || neighbours[room!]?.includes(targetRoom!) === true;
      if (!allowed) found.push(`${where}: ${room} is not above ${targetRoom}`);
      else if (inner.join("/") !== "index.ts" && !isTest) found.push(`${where}: not through the room's index.ts`);
    }
  }
  return found;
}

test("rooms import only downward, and only through a room's index.ts", () => {
  assert.deepEqual(violations(), []);
});

test("every room is in a layer and has a README and an index.ts", () => {
  const rooms = readdirSync(src, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const lacking = rooms.flatMap(({ name }) => [
    ...(layerOf(name) < 0 ? [`${name}: no layer`] : []),
    ...["README.md", "index.ts"].filter((f) => !existsSync(join(src, name, f))).map((f) => `${name}: no ${f}`),
  ]);
  assert.deepEqual(lacking, []);
});

test("only base/ and the composition root touch the clock, timers, randomness and the environment", () => {
  const forbidden = /\b(Date\.now\(|Math\.random\(|setTimeout\(|setInterval\(|process\.env\b)/;
  // The command line is where a person's environment and terminal are.
  const free = new Set(["base", "cli", "testing"]);
  const found = sources(src)
    .filter((file) => !/\.(test|suite|bench)\.tsx?$/.test(file) && !/\/(testing|fixtures)\//.test(file))
    .filter((file) => {
      const [room, ...rest] = relative(src, file).split("/");
      return rest.length > 0 && !free.has(room!);
    })
    .flatMap((file) =>
      readFileSync(file, "utf8")
        .split("\n")
        .map((line, i) => ({ line, i }))
        .filter(({ line }) => forbidden.test(line) && !/^\s*(\/\/|\*|\/\*)/.test(line))
        .map(({ line, i }) => `${relative(src, file)}:${i + 1}: ${line.trim()}`),
    );
  assert.deepEqual(found, []);
});
