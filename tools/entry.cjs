// The entry of the built program: Node's way of running a script, with the bytecode that the build has kept of it.
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { Script } = require("node:vm");

// Commits of the store and the files of pods wait for the disk on the same threads; read when the first one starts.
process.env.UV_THREADPOOL_SIZE ??= "8";
// Node reads it at each start of each process, which takes longer than most commands; pulls read it when they need it.
if (process.env.NODE_EXTRA_CA_CERTS) {
  process.env.PEAPOD_EXTRA_CA_CERTS ??= process.env.NODE_EXTRA_CA_CERTS;
  delete process.env.NODE_EXTRA_CA_CERTS;
}

const filename = join(__dirname, "peapod.js");
let cachedData;
try {
  cachedData = readFileSync(`${filename}.cache`);
} catch {
  // Compiled as it goes, then.
}
const source = `(function (exports, require, module, __filename, __dirname) {${readFileSync(filename, "latin1")}\n})`;
const program = new Script(source, { filename, cachedData }).runInThisContext();
program(module.exports, require, module, filename, __dirname);
