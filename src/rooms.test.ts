import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/*
 * The rules of the house that a compiler does not keep.
 */

const src = dirname(fileURLToPath(import.meta.url));
const top = dirname(src);

/** Which room may use which: only rooms of a lower layer. Rooms of one layer do not know each other. */
const layers: readonly (readonly string[])[] = [
  ["base"],
  ["machinery"],
  ["api"],
  ["store", "client"],
  ["streaming"],
  ["auth", "admission", "runtime", "network"],
  ["apiserver", "scheduler", "controllers", "kubelet", "provisioner"],
  ["cli", "testing"],
];

/** Neighbours of one layer that may be used all the same, and why. */
const neighbours: Record<string, readonly string[]> = {
  // Admission decides by who asks.
  admission: ["auth"],
  // The network implements the contract that the engine states.
  network: ["runtime"],
};

const linesMax = 450;
/** Tables that `tools/generate-api.mjs` and `tools/generate-cri.mjs` write. */
const generated = /^src\/(api\/(schema|types|descriptions)\/|runtime\/cri\/wire\/messages\.ts$)/;
const namelessFolders = new Set(["utils", "util", "helpers", "helper", "common", "misc", "shared", "lib"]);

const layerOf = (room: string) => layers.findIndex((rooms) => rooms.includes(room));
const isTest = (file: string) => /\.(test|suite|bench)\.tsx?$/.test(file);

/** Every folder and every file of TypeScript or JavaScript below `dir`, as paths from the top. */
function tree(dir: string): { folders: string[]; files: string[] } {
  const entries = readdirSync(join(top, dir), { withFileTypes: true, recursive: true });
  const pathOf = (entry: (typeof entries)[number]) => relative(top, join(entry.parentPath, entry.name));
  return {
    folders: entries.filter((entry) => entry.isDirectory()).map(pathOf),
    files: entries.filter((entry) => /\.(ts|tsx|mjs)$/.test(entry.name)).map(pathOf),
  };
}

const read = (file: string) => readFileSync(join(top, file), "utf8");
const whole = ["src", "test", "bench", "tools"].map(tree);
const sources = tree("src").files;

const importPattern = /(?:from|import)\s*\(?\s*"(\.[^"]+)"/g;

function importViolations(file: string): string[] {
  const [room, ...rest] = relative("src", file).split("/");
  // The composition root and the command line's entry wire everything.
  if (rest.length === 0) return [];
  return [...read(file).matchAll(importPattern)].flatMap(([, target]) => {
    const [targetRoom, ...inner] = relative("src", join(dirname(file), target!)).split("/");
    if (targetRoom === room) return [];
    // A test may stand on any room below the command line; it still enters by the door.
    const allowed =
      isTest(file) || layerOf(targetRoom!) < layerOf(room!) || neighbours[room!]?.includes(targetRoom!);
    if (!allowed) return [`${file} imports ${target}: ${room} is not above ${targetRoom}`];
    if (inner.join("/") === "index.ts" || isTest(file)) return [];
    return [`${file} imports ${target}: not through the room's index.ts`];
  });
}

test("rooms import only downward, and only through a room's index.ts", () => {
  assert.deepEqual(sources.flatMap(importViolations), []);
});

test("every room is in a layer and has a README and an index.ts", () => {
  const rooms = readdirSync(src, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const lacking = rooms.flatMap(({ name }) => [
    ...(layerOf(name) < 0 ? [`${name}: no layer`] : []),
    ...["README.md", "index.ts"]
      .filter((f) => !existsSync(join(src, name, f)))
      .map((f) => `${name}: no ${f}`),
  ]);
  assert.deepEqual(lacking, []);
});

/** What reaches the machine's clock, randomness or environment in `text`; comments, and names of the file's own, do not. */
function ambientUses(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*/g, (comment) => comment.replace(/[^\n]/g, ""));
  const ownProcess = /\b(const|let)\s+(process\b|\{[^}=]*\bprocess\b[^}=]*\})\s*=/.test(code);
  const forbidden = [
    /\bDate\.now\b/,
    /\bnew Date\(\)/,
    /\bperformance\.now\b/,
    /\bMath\.random\b/,
    /(?<![.\w])set(Timeout|Interval)\(/,
    ...(ownProcess ? [] : [/\bprocess\.env\b/]),
  ];
  return code.split("\n").flatMap((line, i) => {
    return forbidden.some((pattern) => pattern.test(line)) ? [`${i + 1}: ${line.trim()}`] : [];
  });
}

test("only base/ and the composition root touch the clock, timers, randomness and the environment", () => {
  // The command line is where a person's environment and terminal are; what runs beside a cluster has no clock to step.
  const free = new Set(["base", "cli", "testing"]);
  const bound = sources.filter((file) => {
    const [room, ...rest] = relative("src", file).split("/");
    return rest.length > 0 && !free.has(room!) && !isTest(file) && !/\/(testing|fixtures)\//.test(file);
  });
  assert.deepEqual(
    bound.flatMap((file) => ambientUses(read(file)).map((use) => `${file}:${use}`)),
    [],
  );
});

test("a file written by hand has at most 450 lines", () => {
  const long = whole
    .flatMap(({ files }) => files)
    .filter((file) => !generated.test(file))
    .map((file) => ({ file, lines: read(file).split("\n").length - 1 }))
    .filter(({ lines }) => lines > linesMax);
  assert.deepEqual(long, []);
});

test("a folder is named after what it is about", () => {
  const nameless = whole
    .flatMap(({ folders }) => folders)
    .filter((folder) => namelessFolders.has(folder.split("/").at(-1)!));
  assert.deepEqual(nameless, []);
});

/** Of what a file imports, statically or not: the packages of npm. */
const packagePattern =
  /(?:^(?:(?:import|export|\})[^"\n=(]*\bfrom |import )|\bimport\(|import\.meta\.url\)\()"((?:@[\w-]+\/)?[\w-]+)(?:\/[^"]*)?"/gm;

test("every npm package that is a dependency is imported, and every one imported is a dependency", () => {
  const { dependencies, devDependencies } = JSON.parse(read("package.json"));
  const files = whole.flatMap((each) => each.files);
  const imported = new Set(
    files.flatMap((file) => [...read(file).matchAll(packagePattern)].map(([, name]) => name!)),
  );
  // Programs that are run, and packages that carry a kubectl.
  const programs = /^(@aws-cdk\/.*kubectl.*|@types\/.*|@biomejs\/biome|typescript|tsx)$/;
  const known = Object.keys({ ...dependencies, ...devDependencies });
  const unused = known.filter((name) => !programs.test(name) && !imported.has(name));
  const unknown = [...imported].filter((name) => !isBuiltin(name) && !known.includes(name));
  assert.deepEqual({ unused, unknown }, { unused: [], unknown: [] });
});

test("every file that a README, ARCHITECTURE or another document names is there", () => {
  const below = (dir: string) =>
    readdirSync(join(top, dir), { recursive: dir !== "." })
      .map((name) => join(dir, String(name)))
      .filter((path) => path.endsWith(".md"));
  const documents = [".", "src", "docs", "bench", "tools", "test"].flatMap(below);
  const missing = documents.flatMap((document) =>
    [...read(document).matchAll(/`((?:src|test|bench|tools|docs)\/[\w./-]+)`/g)]
      .filter(([, path]) => !existsSync(join(top, path!)))
      .map(([, path]) => `${document}: ${path}`),
  );
  assert.deepEqual(missing, []);
});
