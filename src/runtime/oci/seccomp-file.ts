import { readFile } from "node:fs/promises";
import { RuntimeError } from "../contract.ts";
import type { OciSeccomp } from "./spec/seccomp.ts";

/** Reads a Localhost profile: the JSON that runtimes and Kubernetes share. */
export async function readSeccompFile(path: string | undefined): Promise<OciSeccomp> {
  if (!path) throw new RuntimeError("CreateContainerError", "a Localhost seccomp profile needs a path");
  try {
    const profile = JSON.parse(await readFile(path, "utf8")) as OciSeccomp;
    if (typeof profile?.defaultAction !== "string") throw new Error("it has no defaultAction");
    return profile;
  } catch (error) {
    throw new RuntimeError(
      "CreateContainerError",
      `cannot load seccomp profile "${path}": ${(error as Error).message}`,
    );
  }
}
