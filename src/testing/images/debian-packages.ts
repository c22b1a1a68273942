import { execFile } from "node:child_process";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);
const commandTimeoutMs = 5 * 60_000;

/** Runs a program; its failure is an Error with the last of what it said. */
export async function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string } = {},
): Promise<string> {
  try {
    const { stdout } = await execute(program, args, {
      ...options,
      timeout: commandTimeoutMs,
      maxBuffer: 16 << 20,
      env: { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
    });
    return stdout;
  } catch (error) {
    const { code, stderr } = error as { code?: string | number; stderr?: string };
    const why = code === "ENOENT" ? `${program} is not on this machine` : (stderr ?? "").trim().slice(-1000);
    throw new Error(`${program} ${args.join(" ")}: ${why || (error as Error).message}`);
  }
}

/** What a package needs directly, by name. */
export async function dependenciesOf(name: string): Promise<string[]> {
  const lines = (await run("apt-cache", ["depends", "--important", name])).split("\n");
  return lines.flatMap((line) => /^\s*\|?(?:Pre)?Depends: ([^<\s]+)$/.exec(line)?.[1] ?? []);
}

/** Downloads packages, without installing them, and extracts each into a directory below `dir`. Returns the directories. */
export async function extractPackages(names: readonly string[], dir: string): Promise<string[]> {
  const debs = join(dir, "debs");
  await mkdir(debs, { recursive: true });
  // The sandbox user could not write here.
  const download = () =>
    run("apt-get", ["-o", "APT::Sandbox::User=root", "download", ...names], { cwd: debs });
  try {
    await download();
  } catch {
    // The lists may name versions that the mirrors have replaced since.
    await run("apt-get", ["update"]);
    await download();
  }
  const roots: string[] = [];
  for (const file of (await readdir(debs)).filter((name) => name.endsWith(".deb"))) {
    const root = join(dir, file.split("_", 1)[0]!);
    await run("dpkg", ["-x", join(debs, file), root]);
    roots.push(root);
  }
  return roots;
}
