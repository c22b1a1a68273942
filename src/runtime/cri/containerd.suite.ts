import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { SystemClock, silentLog } from "../../base/index.ts";
import type { Runtime } from "../contract.ts";
import type { ContractBed } from "../contract-fixture.suite.ts";
import { createLinuxHost } from "../linux/host.ts";
import { unmountBelow } from "../linux/unmount-below.ts";
import { purgeCgroups } from "../oci/cgroups/detect.ts";
import { borrowControllers, returnControllers } from "../oci/cgroups/hierarchies.ts";
import { createCriRuntime } from "./index.ts";

/** Where Debian's busybox-static and containernetworking-plugins put them. */
const busybox = "/bin/busybox";
const cniPlugins = "/usr/lib/cni";

/** Why it cannot run here; `false` when it can. */
export const containerdMissing: string | false =
  [
    [busybox, "busybox-static"],
    [`${cniPlugins}/bridge`, "containernetworking-plugins"],
    ["/usr/bin/containerd", "containerd"],
    ["/usr/sbin/runc", "runc"],
  ]
    .filter(([path]) => !existsSync(path!))
    .map(([, debianPackage]) => `${debianPackage} is not installed`)
    .join(", ") || false;

const readyMsMax = 20_000;

interface ContainerdBed {
  endpoint: string;
  imageName: string;
  /** The ids of all containers and sandboxes, whoever made them. */
  containers(): string[];
}

/**
 * A containerd of the test's own: socket, state, images, network and cgroups. Nothing of the system's is touched, and
 * `close` leaves nothing, whatever the test left running.
 */
export async function createContainerdBed(): Promise<ContractBed & ContainerdBed> {
  const dir = await mkdtemp(join(tmpdir(), "peapod-containerd-"));
  const id = basename(dir).slice(-6).toLowerCase();
  const [link, cgroupRoot] = [`pt${id}`, `peapod-test-${id}`];
  const socket = join(dir, "containerd.sock");
  const clock = new SystemClock();
  const host = await createLinuxHost();
  const hierarchiesDir = join(dir, "hierarchies");
  let daemon: ChildProcess | undefined;
  let runtime: Runtime | undefined;
  const close = async () => {
    for (const sandbox of (await runtime?.listPodSandboxes().catch(() => [])) ?? [])
      await runtime!.removePodSandbox(sandbox.id).catch(() => {});
    await runtime?.close();
    if (daemon) await ended(daemon);
    for (const pid of shimsOf(socket)) process.kill(pid, "SIGKILL");
    await purgeCgroups(cgroupRoot, clock);
    await returnControllers({ host, hierarchiesDir, clock });
    await unmountBelow(dir);
    execFileSync("sh", ["-c", `ip link del ${link} 2>/dev/null || true`]);
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await writeFile(join(dir, "config.toml"), daemonConfig(dir, socket));
    await mkdir(join(dir, "cni/conf"), { recursive: true });
    await writeFile(join(dir, "cni/conf/10-test.conflist"), JSON.stringify(networkConfig(dir, link)));
    // A container that starts while a controller's hierarchy is mounted nowhere has no metrics with containerd, nor is
    // its OOM kill seen: the engines of other tests come and go, and with the last of them their hierarchies.
    await borrowControllers({ host, hierarchiesDir, log: silentLog });
    const log = openSync(join(dir, "containerd.log"), "a");
    daemon = spawn("containerd", ["--config", join(dir, "config.toml")], { stdio: ["ignore", log, log] });
    const endpoint = `unix://${socket}`;
    runtime = await connected(() =>
      createCriRuntime({ endpoint, owner: id, cgroupRoot, clock, log: silentLog }),
    );
    const imageName = "peapod.test/library/busybox:latest";
    for (const name of [imageName, pauseImage]) await importImage(dir, socket, name);
    const image = await connected(async () => {
      const pause = await runtime!.images.status(pauseImage);
      const found = await runtime!.images.status(imageName);
      if (!found || !pause) throw new Error("containerd does not know the imported images");
      return found;
    });
    const containers = () => ctr(socket, ["containers", "list", "-q"]).split("\n").filter(Boolean);
    return {
      ...{ runtime, dir, imageId: image.id, runs: "processes", losesOomKills: true },
      ...{ endpoint, imageName, containers, close },
    };
  } catch (error) {
    const path = join(dir, "containerd.log");
    const tail = existsSync(path) ? readFileSync(path, "utf8").slice(-2000) : "";
    await close();
    throw new Error(`containerd did not start: ${(error as Error).message}\n${tail}`, { cause: error });
  }
}

const pauseImage = "peapod.test/library/pause:latest";

function daemonConfig(dir: string, socket: string): string {
  return `
version = 2
root = "${dir}/root"
state = "${dir}/state"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"
]
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${cniPlugins}"
    conf_dir = "${dir}/cni/conf"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "/usr/sbin/runc"
      SystemdCgroup = false
`;
}

/** A bridge that leads nowhere. */
function networkConfig(dir: string, link: string) {
  return {
    cniVersion: "0.4.0",
    name: link,
    plugins: [
      {
        type: "bridge",
        bridge: link,
        ipam: {
          type: "host-local",
          dataDir: `${dir}/cni/addresses`,
          ranges: [[{ subnet: "10.213.77.0/24" }]],
        },
      },
    ],
  };
}

/** An image of busybox alone, whose own command waits, as a docker archive. */
async function importImage(dir: string, socket: string, name: string): Promise<void> {
  const work = join(dir, "image");
  const root = join(work, "root");
  for (const folder of ["bin", "etc", "tmp", "proc", "dev", "sys"])
    await mkdir(join(root, folder), { recursive: true });
  await copyFile(busybox, join(root, "bin/busybox"));
  for (const applet of execFileSync(busybox, ["--list"], { encoding: "utf8" }).split("\n"))
    if (applet && applet !== "busybox") await symlink("busybox", join(root, "bin", applet));
  await writeFile(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  execFileSync("tar", ["-C", root, "-cf", join(work, "layer.tar"), "."]);
  const digest = createHash("sha256")
    .update(readFileSync(join(work, "layer.tar")))
    .digest("hex");
  const config = {
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config: { Entrypoint: ["sleep", "1000000"], Env: ["PATH=/bin"], Labels: { name } },
    rootfs: { type: "layers", diff_ids: [`sha256:${digest}`] },
    history: [{ created_by: "test" }],
  };
  await writeFile(join(work, "config.json"), JSON.stringify(config));
  const manifest = [{ Config: "config.json", RepoTags: [name], Layers: ["layer.tar"] }];
  await writeFile(join(work, "manifest.json"), JSON.stringify(manifest));
  const archive = join(dir, "image.tar");
  execFileSync("tar", ["-C", work, "-cf", archive, "manifest.json", "config.json", "layer.tar"]);
  ctr(socket, ["images", "import", archive]);
  await rm(work, { recursive: true });
}

const ctr = (socket: string, args: readonly string[]) =>
  execFileSync("ctr", ["--address", socket, "--namespace", "k8s.io", ...args], { encoding: "utf8" });

/** A daemon serves its socket before all of it is ready. */
async function connected<T>(attempt: () => Promise<T>): Promise<T> {
  const clock = new SystemClock();
  const giveUpMs = clock.monotonicMs() + readyMsMax;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (clock.monotonicMs() > giveUpMs) throw error;
      await clock.sleep(50);
    }
  }
}

async function ended(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const exit = new Promise((resolve) => daemon.once("exit", resolve));
  daemon.kill("SIGTERM");
  await exit;
}

/** The processes that containerd left to look after containers: each was told this daemon's address. */
function shimsOf(socket: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        return args[0]!.includes("containerd-shim") && args.includes(socket);
      } catch {
        return false;
      }
    })
    .map(Number);
}
