import { readFileSync, writeFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { Script } from "node:vm";

/**
 * Compiles a script, every function of it, and keeps the bytecode beside it: a start then compiles nothing, which
 * halves it. V8 checks the bytecode against itself and the source, and takes it or compiles as ever.
 */
export function writeCodeCache(path) {
  const source = readFileSync(path, "latin1");
  // Whatever was not compiled when the cache is made is not in it. V8 takes a cache only under its usual flags.
  setFlagsFromString("--no-lazy");
  setFlagsFromString("--no-flush-bytecode");
  const script = new Script(wrapped(source), { filename: path });
  setFlagsFromString("--lazy");
  setFlagsFromString("--flush-bytecode");
  writeFileSync(`${path}.cache`, script.createCachedData());
}

/** As `entry.cjs` does. */
function wrapped(source) {
  return `(function (exports, require, module, __filename, __dirname) {${source}\n})`;
}
