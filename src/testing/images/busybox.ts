import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { extractPackages, extractPackagesOf, run } from "./debian-packages.ts";

/**
 * Debian releases whose busybox is asked for, best first. Up to 1.37 (Debian 13) its shell drops variables whose names
 * have a dash or a dot, which Kubernetes allows and its users' images (Docker Hub's busybox) keep.
 */
const releases = ["forky", "trixie"];

/** A static busybox, of the first release that keeps every variable; of the host's own where none can be had. */
export async function busyboxProgram(
  dir: string,
  say: (line: string) => void,
  wanted: readonly string[] = releases,
): Promise<string> {
  let second: string | undefined;
  for (const release of wanted) {
    const from = join(dir, release);
    try {
      const program = programIn((await extractPackagesOf(release, ["busybox-static"], from))[0]!);
      if (await keepsVariables(program)) return program;
      second ??= program;
    } catch (error) {
      say(`busybox of Debian ${release} cannot be had: ${firstLine(error)}`);
    } finally {
      // An index is some 20 MB.
      for (const name of ["lists", "cache"]) await rm(join(from, name), { recursive: true, force: true });
    }
  }
  const program = second ?? programIn((await extractPackages(["busybox-static"], join(dir, "host")))[0]!);
  if (!(await keepsVariables(program)))
    say("The busybox image's shell drops variables whose names have a dash or a dot.");
  return program;
}

function programIn(root: string): string {
  const found = ["usr/bin/busybox", "bin/busybox"]
    .map((path) => join(root, path))
    .find((path) => existsSync(path));
  if (!found) throw new Error("Debian's busybox-static holds no busybox");
  return found;
}

async function keepsVariables(program: string): Promise<boolean> {
  const shown = await run("env", ["-i", "with-dash=1", "with.dot=2", program, "sh", "-c", "env"]);
  return ["with-dash=1", "with.dot=2"].every((line) => shown.split("\n").includes(line));
}

const firstLine = (error: unknown) => (error as Error).message.split("\n", 1)[0]!;
