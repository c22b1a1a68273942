/*
 * LMDB's native part for this platform, without the search for it, and the look for the C library's name, that its
 * loader makes at each start.
 */
const { dirname } = require("node:path");

module.exports = () => {
  const folder = `@lmdb/lmdb-${process.platform}-${process.arch}`;
  for (const build of [`abi${process.versions.modules}.glibc`, "napi.glibc"]) {
    try {
      return require(`${folder}/node.${build}.node`);
    } catch {
      // Of another C library, or not among the builds: the loader finds it.
    }
  }
  // Named where the bundler does not look.
  const [load, lmdb] = ["node-gyp-build-optional-packages", "lmdb/package.json"];
  return require(load)(dirname(require.resolve(lmdb)));
};
