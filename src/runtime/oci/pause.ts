import { copyFile, mkdir, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type PodSandboxConfig, RuntimeError } from "../contract.ts";
import { runTool } from "../linux/tool.ts";
import type { EngineContext } from "./context.ts";
import { runtimeCommand } from "./handlers.ts";
import { podUsers } from "./mapped.ts";
import { identify, signalProcess } from "./processes.ts";
import type { ProcessIdentity } from "./records.ts";
import { buildSpec } from "./spec/spec.ts";

/**
 * The process that holds a shared PID namespace (`shareProcessNamespace`): the host's shell and `sleep`, copied with
 * their libraries into a root of their own. The shell's `wait` reaps what the containers leave behind.
 */
const pauseScript = "while :; do sleep 2147483647 & wait; done";
const pausePrograms = ["/bin/sh", "/bin/sleep"];

export async function startPause(
  context: EngineContext,
  sandboxId: string,
  sandbox: PodSandboxConfig,
): Promise<ProcessIdentity> {
  const { layout, cgroups } = context;
  const bundle = layout.bundle(sandboxId);
  const cgroup = `${context.cgroupRoot}/${sandbox.linux.cgroupParent}/${sandboxId}`;
  const limits = { resources: { cpuShares: 2, oomScoreAdj: -998 }, devices: [] };
  cgroups.createContainer(cgroup, limits);
  const users = podUsers(context, { id: sandboxId, config: sandbox });
  const spec = buildSpec({
    config: pauseConfig(limits.resources),
    sandbox: {
      ...sandbox,
      linux: { ...sandbox.linux, namespaces: { ...sandbox.linux.namespaces, pid: "container" } },
    },
    image: {},
    user: { uid: 0, gid: 0, supplementalGroups: [] },
    host: context.facts,
    rootfsPath: await pauseRoot(context),
    namespaces: {},
    shmPath: "/dev/shm",
    resolvConfPath: "/dev/null",
    cgroup: cgroups.spec(cgroup, limits, "ro"),
    devices: [],
    imageSources: new Map(),
    ...(users && { users }),
  });
  spec.mounts = spec.mounts.filter((mount) => mount.destination === "/proc" || mount.destination === "/dev");
  await mkdir(bundle, { recursive: true, mode: 0o700 });
  await writeFile(join(bundle, "config.json"), JSON.stringify(spec));
  const pidFile = join(bundle, "pid");
  const args = ["run", "--detach", "--bundle", bundle, "--pid-file", pidFile, sandboxId];
  const [program, ...rest] = [...cgroups.launcher(cgroup), ...runtimeCommand(context), ...args];
  await runTool(program!, rest, { leaves: "daemon" });
  const identity = identify(Number(await readFile(pidFile, "utf8")));
  if (!identity)
    throw new RuntimeError("SandboxError", "the process that holds the pod's PID namespace ended at once");
  return identity;
}

export async function stopPause(
  context: EngineContext,
  sandboxId: string,
  identity: ProcessIdentity | undefined,
): Promise<void> {
  if (identity) signalProcess(identity, "SIGKILL");
  const { layout } = context;
  await rm(join(layout.runtimeRoot, sandboxId), { recursive: true, force: true });
  await rm(layout.bundle(sandboxId), { recursive: true, force: true });
}

function pauseConfig(resources: { cpuShares: number; oomScoreAdj: number }) {
  return {
    metadata: { name: "POD", attempt: 0 },
    imageId: "",
    imageName: "",
    command: ["/bin/sh", "-c", pauseScript],
    env: [],
    mounts: [],
    labels: {},
    annotations: {},
    logPath: "",
    stdin: false,
    stdinOnce: false,
    tty: false,
    linux: {
      resources,
      security: {
        privileged: false,
        supplementalGroups: [],
        readOnlyRootfs: true,
        noNewPrivileges: true,
        capabilities: { add: [], drop: ["ALL"] },
        procMount: "Default" as const,
      },
    },
  };
}

/** Makes the pause's root filesystem once. */
async function pauseRoot({ layout }: EngineContext): Promise<string> {
  const root = join(layout.runDir, "pause");
  const ready = await realpath(root).catch(() => undefined);
  if (ready) return ready;
  const building = `${root}.new`;
  await rm(building, { recursive: true, force: true });
  for (const folder of ["proc", "dev", "bin", "etc"])
    await mkdir(join(building, folder), { recursive: true });
  for (const program of pausePrograms) {
    await copyFile(await realpath(program), join(building, "bin", basename(program)));
    for (const library of await librariesOf(program)) {
      await mkdir(join(building, dirname(library)), { recursive: true });
      await copyFile(await realpath(library), join(building, library));
    }
  }
  await rename(building, root);
  return root;
}

/** The absolute paths that `ldd` prints; none for a static program. */
async function librariesOf(program: string): Promise<string[]> {
  const output = await runTool("ldd", [program]).catch(() => "");
  return [...output.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)].map((match) => match[1]!);
}
