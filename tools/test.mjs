// Runs the tests: all of them, or the files named. Installs first what they need of Debian's packages.
// Ends with `N passed, N failed` alone on a line, and fails when anything failed or nothing ran.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const top = fileURLToPath(new URL("..", import.meta.url));
process.chdir(top);

const find = (dir) =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return find(path);
    return entry.name.endsWith(".test.ts") ? [path] : [];
  });

const named = process.argv.slice(2);
const files = named.length ? named : [...find("src"), ...find("test")].map((f) => relative(".", f));

const setup = spawnSync(process.execPath, ["dist/main.js", "setup", "--for", "test"], { stdio: "inherit" });
if (setup.status !== 0) process.exit(setup.status ?? 1);

/** Why, in a few lines: a log may be kept only from its end. */
function reasonOf(error) {
  const reasons = [];
  for (let each = error; each && reasons.length < 3; each = each.cause)
    reasons.push(`${each.message ?? each}`);
  return [...new Set(reasons)].join("\n").slice(0, 600).replaceAll(/^/gm, "    ");
}

let passed = 0;
let failed = 0;
const failures = [];
process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ""} --import ${import.meta.resolve("tsx")}`.trim();
const stream = run({ files: files.map((f) => join(top, f)), concurrency: 2 });
stream.on("test:pass", (event) => {
  if (event.details?.type !== "suite") passed++;
});
stream.on("test:fail", (event) => {
  if (event.details?.type !== "suite") failed++;
  failures.push(`${event.file ?? ""}: ${event.name}\n${reasonOf(event.details?.error)}`);
  process.exitCode = 1;
});
stream.compose(new spec()).pipe(process.stdout, { end: false });
stream.on("end", () => {
  setImmediate(() => {
    for (const failure of failures) console.log(`FAILED ${failure}`);
    console.log(`\n${passed} passed, ${failed} failed`);
    if (passed + failed === 0) process.exitCode = 1;
  });
});
