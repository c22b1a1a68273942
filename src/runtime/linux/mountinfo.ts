import { readFile } from "node:fs/promises";

export interface MountEntry {
  target: string;
  type: string;
  source: string;
  /** `shared:1`, `master:2`, … */
  propagation: string[];
  superOptions: string;
}

/** What is mounted in this process's mount namespace, in the order of mounting. */
export async function readMounts(): Promise<MountEntry[]> {
  return parseMounts(await readFile("/proc/self/mountinfo", "utf8"));
}

export function parseMounts(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split("\n")) {
    const [left, right] = line.split(" - ");
    if (!left || !right) continue;
    const fields = left.split(" ");
    const [type, source, superOptions] = right.split(" ");
    entries.push({
      target: unescapeOctal(fields[4] ?? ""),
      type: type ?? "",
      source: unescapeOctal(source ?? ""),
      propagation: fields.slice(6),
      superOptions: superOptions ?? "",
    });
  }
  return entries;
}

/** The mounts below `dir`, which is not among them. */
export function mountsBelow(mounts: readonly MountEntry[], dir: string): MountEntry[] {
  return mounts.filter(({ target }) => target.startsWith(`${dir}/`));
}

/** The mount that holds `path`: the last one mounted at its longest prefix. */
export function mountHolding(path: string, mounts: readonly MountEntry[]): MountEntry | undefined {
  let found: MountEntry | undefined;
  for (const mount of mounts) {
    const inside = mount.target === "/" || path === mount.target || path.startsWith(`${mount.target}/`);
    if (inside && (!found || mount.target.length >= found.target.length)) found = mount;
  }
  return found;
}

/** Spaces and tabs in paths are written as `\040` and `\011`. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
