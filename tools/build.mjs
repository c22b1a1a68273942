// Bundles the command line and what it loads on demand into dist/. Under a second, so nothing is ever stale.
import { rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const top = fileURLToPath(new URL("..", import.meta.url));
rmSync(`${top}/dist`, { recursive: true, force: true });
await build({
  absWorkingDir: top,
  entryPoints: {
    main: "src/main.ts",
    // A program of its own: the image store runs it to unpack layers.
    "unpack-layer": "src/runtime/images/unpack-layer.ts",
  },
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  packages: "external",
  sourcemap: true,
  logLevel: "warning",
  entryNames: "[name]",
  chunkNames: "chunks/[name]-[hash]",
});
writeFileSync(`${top}/dist/.built`, "");
