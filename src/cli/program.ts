import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { ClusterOptions } from "./cluster.ts";
import { type DemoImages, demo } from "./commands/demo.ts";
import { doctor } from "./commands/doctor.ts";
import { down } from "./commands/down.ts";
import { imageList, imageLoad, imagePull, imageRemove } from "./commands/image.ts";
import { runtime } from "./commands/runtime.ts";
import { setup } from "./commands/setup.ts";
import { status } from "./commands/status.ts";
import { up } from "./commands/up.ts";
import type { CommandContext } from "./context.ts";
import { dataDirDefault } from "./data-dir.ts";
import { exitCodes, UserError } from "./errors.ts";
import { requireRoot } from "./host/checks.ts";
import { findKubectl, runKubectl } from "./kubectl.ts";
import { runningProcess } from "./run-file.ts";

export interface ProgramOptions {
  version: string;
  nodeNameDefault: string;
  dataDirFromEnv: string | undefined;
  context(dataDir: string): CommandContext;
  demoImages: DemoImages;
}

/** The command line's grammar; each command is a file of its own. Sets `process.exitCode` through `exit`. */
export function createProgram(options: ProgramOptions, exit: (code: number) => void): Command {
  const program = new Command("peapod")
    .description("Kubernetes' pod platform: real pods on this machine, one process, one command.")
    .version(options.version, "-V, --version")
    .showHelpAfterError("(see --help)")
    .exitOverride()
    .enablePositionalOptions()
    .configureHelp({ sortSubcommands: false });

  const command = (on: Command, usage: string, description: string) =>
    on
      .command(usage)
      .description(description)
      .option("--data-dir <dir>", "where the cluster lives", options.dataDirFromEnv ?? dataDirDefault);
  const contextOf = (flags: { dataDir: string }) => options.context(flags.dataDir);

  command(program, "up", "start a cluster; returns, or says so, when it is ready")
    .option("--detach", "run in the background")
    .option("--port <n>", "port of the API server; 0: the last one used, or a free one", portNumber, 0)
    .option("--kubeconfig <file>", "add the cluster to this kubeconfig and make it current")
    .option("--ephemeral", "keep the store in memory: fast, and gone when it stops")
    .option("--node-name <name>", "the node's name", options.nodeNameDefault)
    .option("--runtime-endpoint <url>", "run pods by this CRI runtime: unix:///…", unixEndpoint)
    .option("--kubelet-config <file>", "the node's settings: a KubeletConfiguration, kept as kubelet.yaml")
    .addOption(logLevelOption())
    .action((flags) => up(contextOf(flags), flags));

  command(program, "down", "stop the cluster and its pods")
    .option("--purge", "leave nothing: no process, mount, namespace, cgroup, link, route, rule or file")
    .action((flags) => down(contextOf(flags), flags));

  command(program, "status", "show whether it runs, and what")
    .addOption(new Option("-o, --output <format>", "output format").choices(["json"]))
    .action((flags) => status(contextOf(flags), flags));

  command(program, "kubectl", "run kubectl against this cluster: peapod kubectl get pods")
    .argument("[args...]", "what kubectl is given")
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (args: string[], flags) => {
      const context = contextOf(flags);
      if (!runningProcess(context.dir)) {
        throw new UserError(`no cluster runs on ${context.dir.root}`, {
          exitCode: exitCodes.notRunning,
          remedy: "peapod up --detach",
        });
      }
      const binary = findKubectl(context.env.PATH ?? "", context.cacheDir);
      exit(await runKubectl(binary, context.dir.kubeconfig, args));
    });

  const image = program.command("image").description("the images pods run from");
  command(image, "load", "load an OCI layout, an OCI archive or a docker archive")
    .argument("<path>", "file or directory")
    .option("--tag <name>", "name it so")
    .action((path: string, flags) => imageLoad(contextOf(flags), path, flags));
  command(image, "pull", "pull an image from its registry")
    .argument("<name>")
    .action((name: string, flags) => imagePull(contextOf(flags), name));
  command(image, "ls", "list images").action((flags) => imageList(contextOf(flags)));
  command(image, "rm", "remove images")
    .argument("<name...>")
    .action((names: string[], flags) => imageRemove(contextOf(flags), names));

  command(program, "doctor", "show what this host has and lacks").action((flags) => doctor(contextOf(flags)));

  command(program, "runtime", "serve the container engine alone, as CRI v1, for crictl and others")
    .option("--socket <path>", "where to serve; in the data directory when not given")
    .addOption(logLevelOption())
    .action((flags) => runtime(contextOf(flags), flags));

  command(program, "demo", "from nothing to a running pod of two containers, shown with kubectl")
    .option("--port <n>", "port of the API server", portNumber, 0)
    .option("--node-name <name>", "the node's name", options.nodeNameDefault)
    .action((flags) => demo(contextOf(flags), flags, options.demoImages));

  command(program, "setup", "install the Debian packages that are missing")
    .addOption(
      new Option("--for <purpose>", "what they are for")
        .choices(["cluster", "demo", "test"])
        .default("cluster"),
    )
    .action(async (flags) => {
      requireRoot();
      await setup(contextOf(flags), flags.for);
    });

  program
    .command("test")
    .description("install what the tests need and run them (from a checkout only)")
    .action(() => {
      throw new UserError("the tests are run by the `peapod` script of a checkout", {
        exitCode: exitCodes.usage,
      });
    });
  return program;
}

function logLevelOption(): Option {
  const levels: ClusterOptions["logLevel"][] = ["debug", "info", "warn", "error"];
  return new Option("--log-level <level>", "what to log").choices(levels).default("info");
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError("a port is 0 to 65535.");
  return port;
}

/** As `crictl` takes it; a path alone is meant the same. */
function unixEndpoint(text: string): string {
  const path = text.replace(/^unix:\/\//, "");
  if (!path.startsWith("/"))
    throw new InvalidArgumentError("a runtime's endpoint is unix:///path/to/its.sock.");
  return `unix://${path}`;
}

/** The exit code that an error ends the process with, and what it says first. */
export function explain(error: unknown): { exitCode: number; text: string } {
  if (error instanceof CommanderError) {
    return { exitCode: error.exitCode === 0 ? 0 : exitCodes.usage, text: "" };
  }
  if (error instanceof UserError) {
    return {
      exitCode: error.exitCode,
      text: `peapod: ${error.message}\n${error.remedy ? `  → ${error.remedy}\n` : ""}`,
    };
  }
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { exitCode: exitCodes.failure, text: `peapod: unexpected failure, please report it\n${trace}\n` };
}
