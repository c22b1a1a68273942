/*
 * Runs a benchmark as the program is built: tsx gives every function its name when it is made, which in a hot path costs
 * as much as what is measured.
 *
 *   node bench/built.mjs bench/probes.ts [its arguments …]
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const [file, ...args] = process.argv.slice(2);
const dir = fileURLToPath(new URL("../.cache/bench", import.meta.url));
const outfile = `${dir}/${basename(file, ".ts")}-${process.pid}.mjs`;
mkdirSync(dir, { recursive: true });
await build({
  entryPoints: [file],
  outfile,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  packages: "external",
  logLevel: "warning",
});
try {
  process.exitCode =
    spawnSync(process.execPath, [...process.execArgv, outfile, ...args], { stdio: "inherit" }).status ?? 1;
} finally {
  rmSync(outfile);
}
