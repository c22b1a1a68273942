// Bundles the command line and everything it loads into dist/. About a second, so nothing is ever stale.
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { writeCodeCache } from "./code-cache.mjs";

const top = fileURLToPath(new URL("..", import.meta.url));
const dist = process.env.PEAPOD_DIST ?? `${top}/dist`;
rmSync(dist, { recursive: true, force: true });

/** What is loaded when it is first needed, by a `require` that the bundler cannot see, is bundled all the same. */
const lateRequires = {
  name: "late-requires",
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/base\/log\.ts$/ }, async ({ path }) => {
      const { readFile } = await import("node:fs/promises");
      const source = await readFile(path, "utf8");
      return { contents: source.replaceAll("createRequire(import.meta.url)(", "require("), loader: "ts" };
    });
  },
};

/** LMDB's JavaScript is bundled, so that its bytecode is kept too; of what it stands on, only what bytes need. */
const bundledLmdb = {
  name: "bundled-lmdb",
  setup({ onResolve }) {
    onResolve({ filter: /^node-gyp-build-optional-packages$/ }, ({ importer }) =>
      importer.endsWith("lmdb-addon.cjs") ? { external: true } : { path: `${top}tools/lmdb-addon.cjs` },
    );
    onResolve({ filter: /^msgpackr$/ }, () => ({ path: `${top}node_modules/msgpackr/index.js` }));
  },
};

/** Programs and libraries that few starts need are files of their own: what is in the main one is read at each start. */
const late = { "@grpc/grpc-js": "grpc.js", "prom-client": "prom-client.js" };
const lateLibraries = {
  name: "late-libraries",
  setup({ onResolve }) {
    onResolve({ filter: /^(@grpc\/grpc-js|prom-client)$/ }, ({ path, kind }) =>
      kind === "entry-point" ? undefined : { path: `./${late[path]}`, external: true },
    );
  },
};

await build({
  absWorkingDir: top,
  entryPoints: {
    peapod: "src/main.ts",
    // A program of its own: the image store runs it to unpack layers.
    "unpack-layer": "src/runtime/images/unpack-layer.ts",
    ...Object.fromEntries(
      Object.entries(late).map(([library, file]) => [file.replace(/\.js$/, ""), library]),
    ),
  },
  outdir: dist,
  bundle: true,
  // One script: its bytecode can be kept, which Node 20 offers for scripts and not for modules.
  format: "cjs",
  platform: "node",
  target: "node20",
  supported: { "dynamic-import": false },
  // Native parts, and what only tells where its files are.
  external: ["koffi", "esbuild", "@aws-cdk/*"],
  define: { "import.meta.url": "importMetaUrl", "import.meta.resolve": "undefined" },
  banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
  plugins: [lateRequires, bundledLmdb, lateLibraries],
  logLevel: "warning",
});
copyFileSync(`${top}/tools/entry.cjs`, `${dist}/main.js`);
writeFileSync(`${dist}/package.json`, '{ "type": "commonjs" }\n');
writeCodeCache(`${dist}/peapod.js`);
writeFileSync(`${dist}/.built`, "");
