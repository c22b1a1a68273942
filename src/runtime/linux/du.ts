import { execFile } from "node:child_process";

/** Fewer than a command line holds, however long the paths. */
const pathsMax = 200;
/** A tree that takes longer is left out: it must not hold up the others for good. */
const measureMsMax = 60_000;
const outputBytesMax = 1 << 20;

export interface TreeUsage {
  usedBytes: number;
  inodesUsed: number;
}

/**
 * What files take on the disk, by path. `du` counts: a child process, so that a tree of a million files costs the
 * agent nothing but the waiting. Paths that are gone, or could not be measured, are left out.
 */
export async function measureTrees(paths: readonly string[]): Promise<Map<string, TreeUsage>> {
  const usages = new Map<string, TreeUsage>();
  for (let at = 0; at < paths.length; at += pathsMax) {
    const some = paths.slice(at, at + pathsMax);
    const [bytes, inodes] = await Promise.all([du(["--block-size=1"], some), du(["--inodes"], some)]);
    for (const [path, usedBytes] of bytes) usages.set(path, { usedBytes, inodesUsed: inodes.get(path) ?? 0 });
  }
  return usages;
}

function du(how: readonly string[], paths: readonly string[]): Promise<Map<string, number>> {
  // A file of several names counts once; what is mounted below a path is not its own.
  const args = ["--summarize", "--one-file-system", "--null", ...how, "--", ...paths];
  return new Promise((resolve) => {
    const limits = { timeout: measureMsMax, killSignal: "SIGKILL", maxBuffer: outputBytesMax } as const;
    // It fails when a file goes while it looks; what it has counted is as good as any.
    execFile("du", args, { ...limits, env: { LC_ALL: "C" } }, (_error, stdout) => {
      const counts = stdout
        .split("\0")
        .map((line) => /^(\d+)\t([\s\S]+)$/.exec(line))
        .filter((match) => match !== null)
        .map(([, count, path]): [string, number] => [path!, Number(count)]);
      resolve(new Map(counts));
    });
  });
}
