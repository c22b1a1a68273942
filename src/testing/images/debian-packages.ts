import { execFile } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
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
  return extractAll(debs, dir);
}

/** Signs every release since Debian 12, newer ones than the host's included. */
const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
const debianArchive = "http://deb.debian.org/debian";

/**
 * As {@link extractPackages}, of another release than the host's. Apt is given lists, a cache and a source of its own
 * below `dir`, so that nothing of the host's configuration or state is changed.
 */
export async function extractPackagesOf(
  release: string,
  names: readonly string[],
  dir: string,
): Promise<string[]> {
  const debs = join(dir, "debs");
  const lists = join(dir, "lists");
  const sources = join(dir, "sources.list");
  await mkdir(debs, { recursive: true });
  await mkdir(join(lists, "partial"), { recursive: true });
  await mkdir(join(dir, "cache/archives/partial"), { recursive: true });
  await writeFile(sources, `deb [signed-by=${debianKeyring}] ${await hostArchive()} ${release} main\n`);
  const settings = {
    "Dir::Etc::sourcelist": sources,
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::Etc::preferences": "/dev/null",
    "Dir::Etc::preferencesparts": "/dev/null",
    "Dir::State::lists": lists,
    "Dir::State::status": "/dev/null",
    "Dir::Cache": join(dir, "cache"),
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  // Without `--error-on=any` a list that could not be had is a warning only.
  await run("apt-get", [...options, "--error-on=any", "update"]);
  await run("apt-get", [...options, "download", ...names], { cwd: debs });
  return extractAll(debs, dir);
}

/** Where this host has its Debian packages from: a mirror that is near has the other releases too. */
async function hostArchive(): Promise<string> {
  const filter = ["Created-By: Packages", "Origin: Debian", "Label: Debian"];
  const found = await run("apt-get", ["indextargets", "--format", "$(REPO_URI)", ...filter]).catch(() => "");
  return found.split("\n")[0] || debianArchive;
}

async function extractAll(debs: string, dir: string): Promise<string[]> {
  const roots: string[] = [];
  for (const file of (await readdir(debs)).filter((name) => name.endsWith(".deb"))) {
    const root = join(dir, file.split("_", 1)[0]!);
    await run("dpkg", ["-x", join(debs, file), root]);
    roots.push(root);
  }
  return roots;
}
