import type { ClusterModule } from "./cluster.ts";
import type { DataDir } from "./data-dir.ts";
import { styled, type Terminal } from "./output.ts";

/** What every command is given. */
export interface CommandContext {
  dir: DataDir;
  terminal: Terminal;
  env: NodeJS.ProcessEnv;
  version: string;
  /** How the user called us: `./peapod`. */
  command: string;
  /** What can be made again: unpacked kubectl, demo images. */
  cacheDir: string;
  /** Loaded when first asked for: a command that only asks the running process starts without it. */
  cluster(): Promise<ClusterModule>;
  print(line: string): void;
  /** Adds this cluster to a kubeconfig of the user's, and makes it the current one. */
  mergeKubeconfig(path: string): void;
  /** Shows that something takes a while, and how long it took. */
  task<T>(title: string, work: () => Promise<T>): Promise<T>;
}

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/** A spinner for a person; for a log one line when it is done. Progress goes to standard error. */
export async function showTask<T>(terminal: Terminal, title: string, work: () => Promise<T>): Promise<T> {
  const startMs = performance.now();
  const took = () => styled(terminal, "dim", `${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  let spinner: NodeJS.Timeout | undefined;
  if (terminal.interactive) {
    let i = 0;
    spinner = setInterval(
      () => terminal.err.write(`\r${styled(terminal, "cyan", frames[i++ % frames.length]!)} ${title} `),
      80,
    );
  }
  const line = (mark: string) =>
    terminal.err.write(`${terminal.interactive ? "\r\u001b[K" : ""}${mark} ${title} ${took()}\n`);
  try {
    const result = await work();
    line(styled(terminal, "green", "✔"));
    return result;
  } catch (error) {
    line(styled(terminal, "red", "✘"));
    throw error;
  } finally {
    clearInterval(spinner);
  }
}
