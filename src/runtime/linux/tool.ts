import { spawn } from "node:child_process";

/** A system tool that failed: `message` is its own complaint. */
export class ToolError extends Error {
  override name = "ToolError";
  /** `undefined` when it could not be run at all. */
  readonly exitCode: number | undefined;
  constructor(message: string, exitCode?: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

const outputCharsMax = 1024 * 1024;
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Runs a system tool and resolves with what it printed. Of a tool that leaves a `daemon` behind, which inherits its
 * streams, only the end of the tool itself is awaited.
 */
export function runTool(
  command: string,
  args: readonly string[],
  options: { input?: string; leaves?: "nothing" | "daemon" } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], env: { PATH: searchPath } });
    let output = "";
    let complaint = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (output.length < outputCharsMax) output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (complaint.length < outputCharsMax) complaint += text;
    });
    child.on("error", (error) => reject(new ToolError(`cannot run ${command}: ${error.message}`)));
    child.on("exit", (code) => {
      if (code !== 0 || options.leaves !== "daemon") return;
      child.stdout.destroy();
      child.stderr.destroy();
    });
    child.on("close", (code, signal) => {
      if (code === 0) resolve(output);
      else
        reject(
          new ToolError(
            `${command}: ${complaint.trim() || `ended with ${code ?? signal}`}`,
            code ?? undefined,
          ),
        );
    });
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
  });
}
