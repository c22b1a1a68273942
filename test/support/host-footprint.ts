import { createHash } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { run } from "./cluster.ts";

/** What of a cluster is on the host, by kind: a line a thing. */
export type Footprint = Record<string, string[]>;

/**
 * What changes without leaking: databases grow, logs are written, and addresses of connections come and go. Pods' own
 * logs stay for some minutes after them (`src/kubelet/garbage/kept-logs.ts`).
 */
const livingFiles = /^(store\/|registry\/|kubelet\/logs\/|peapod\.log|run\.json|port$)/;

/** Everything that a running cluster holds on this host: processes, mounts, links, cgroups, files, descriptors. */
export async function footprintOf(cluster: { dataDir: string; pid: number }): Promise<Footprint> {
  const id = createHash("sha256").update(cluster.dataDir).digest("hex").slice(0, 8);
  const traces = new RegExp(`${cluster.dataDir}|${id}`);
  const lines = async (program: string, ...args: string[]) =>
    (await run(program, args)).stdout.split("\n").filter((line) => traces.test(line));
  const read = (path: string) => readFileSync(path, "utf8").split("\n");
  const runDir = `/run/peapod/${id}`;
  // A hierarchy that the engine mounted for itself shows the cgroups of other clusters, too.
  const cgroups = (await run("find", ["/sys/fs/cgroup", `${runDir}/cgroup`, "-type", "d"])).stdout.split(
    "\n",
  );
  const files = filesBelow(cluster.dataDir).filter((path) => !livingFiles.test(path));
  return {
    processes: (await lines("ps", "-eo", "args")).sort(),
    // The engine's mounts may be in a namespace of its own.
    mounts: read(`/proc/${cluster.pid}/mounts`).filter((line) => traces.test(line)),
    "network namespaces": filesBelow(`${runDir}/sandboxes`).filter((path) => path.endsWith("/net")),
    links: (await lines("ip", "-o", "link")).map((line) => line.replace(/^\d+: ([^:@]+).*$/, "$1")).sort(),
    rules: (await lines("nft", "list", "ruleset")).sort(),
    cgroups: cgroups.filter((line) => line.includes(`peapod-${id}`)).sort(),
    "loop devices": await lines("losetup", "-a"),
    addresses: files.filter((path) => path.startsWith("network/")),
    files: files.filter((path) => !path.startsWith("network/")),
    "run files": filesBelow(runDir).filter((path) => !path.startsWith("cgroup/")),
    descriptors: descriptorsOf(cluster.pid),
  };
}

function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true, recursive: true })
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .sort();
  } catch {
    return [];
  }
}

/** Of what kind each is: which socket it is does not matter, how many there are does. */
function descriptorsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder)
    .map((name) => {
      try {
        return readlinkSync(join(folder, name)).replace(/\[\d+\]|:\[\d+\]/, "");
      } catch {
        return "gone";
      }
    })
    .filter((target) => target !== "gone")
    .sort();
}

/** What is there now that was not there before, by kind. */
export function grownSince(before: Footprint, now: Footprint): Footprint {
  const grown: Footprint = {};
  for (const [kind, things] of Object.entries(now)) {
    const left = [...before[kind]!];
    const more = things.filter((thing) => {
      const at = left.indexOf(thing);
      if (at >= 0) left.splice(at, 1);
      return at < 0;
    });
    if (more.length > 0) grown[kind] = more;
  }
  return grown;
}
