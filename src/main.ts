import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import {
  type CommandContext,
  createProgram,
  type DemoImages,
  dataDir,
  explain,
  showTask,
  terminal,
} from "./cli/index.ts";

/*
 * The entry of the command line. What starts a cluster is loaded only by the commands that need it: `peapod status`
 * takes as long as Node itself.
 */

const version = "0.1.0";
const cacheDir = process.env.PEAPOD_CACHE_DIR ?? "/var/cache/peapod";
// Programs of sbin are needed even where a person's PATH lacks it.
process.env.PATH = [process.env.PATH, "/usr/local/sbin", "/usr/sbin", "/sbin"].filter(Boolean).join(":");

function contextFor(path: string): CommandContext {
  const term = terminal(process.env);
  const dir = dataDir(path);
  return {
    dir,
    terminal: term,
    env: process.env,
    version,
    command: process.env.PEAPOD_COMMAND ?? "peapod",
    cacheDir,
    cluster: async () => (await import("./peapod.ts")).clusterModule,
    print: (line) => term.out.write(`${line}\n`),
    mergeKubeconfig: (target) => void mergeKubeconfig(dir.kubeconfig, target),
    task: (title, work) => showTask(term, title, work),
  };
}

async function mergeKubeconfig(source: string, target: string): Promise<void> {
  const { mergeKubeconfig: merge } = await import("./auth/index.ts");
  const merged = merge(
    existsSync(target) ? readFileSync(target, "utf8") : undefined,
    readFileSync(source, "utf8"),
  );
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, merged, { mode: 0o600 });
}

const demoImages: DemoImages = {
  provide: async (context) => {
    const { provideDemoImages } = await import("./testing/index.ts");
    return provideDemoImages({
      cacheDir: join(context.cacheDir, "images"),
      registryDir: context.dir.registry,
      registries: context.dir.registries,
      source: process.env.PEAPOD_DEMO_IMAGES === "debian" ? "debian" : "auto",
      task: context.task,
    });
  },
};

// A reader that went away (`peapod … | head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
});
// Nor is what cannot be said, as a warning of Node's own where the log's disk is full.
process.stderr.on("error", () => {});

async function run(): Promise<void> {
  try {
    const program = createProgram(
      {
        version,
        nodeNameDefault: hostname().toLowerCase(),
        dataDirFromEnv: process.env.PEAPOD_DATA_DIR,
        context: contextFor,
        demoImages,
      },
      (code) => {
        process.exitCode = code;
      },
    );
    await program.parseAsync(process.argv);
  } catch (error) {
    const { exitCode, text } = explain(error);
    process.stderr.write(text);
    process.exit(exitCode);
  }
}

void run();
