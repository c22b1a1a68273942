import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { SystemClock, SystemRandom, silentLog } from "../src/base/index.ts";
import { createBridgeNetwork, purgeBridgeNetwork } from "../src/network/index.ts";
import { noRegistriesConfig } from "../src/runtime/images/index.ts";
import {
  createImageStore,
  createOciRuntime,
  type Mount,
  purgeOciRuntime,
  type Runtime,
} from "../src/runtime/index.ts";
import { containerConfig, sandboxConfig, type TestBed } from "../src/runtime/oci/test-bed.ts";
import { buildDemoImages } from "../src/testing/images/index.ts";
import { fullPodContainers, fullPodVolumes, onePod } from "./pod-manifests.ts";

/** What a person would type, in one shell: two `ip` batches, overlay mounts, conmon and crun. */
const upScript = `set -e
cd "$1"; n=$2; ip=$3; volumes=$6
: > net$n; unshare --net=$PWD/net$n true
printf 'link add vb%s type veth peer name eth0 netns %s\\nlink set vb%s master %s up\\n' $n $PWD/net$n $n $4 | ip -batch -
printf 'link set lo up\\naddr add %s/24 dev eth0\\nlink set eth0 up\\n' $ip | nsenter --net=$PWD/net$n ip -batch -
for c in $5; do b=$n\${c%!}; dirs="$dirs $b/rootfs $b/upper $b/work"; pipes="$pipes $b/sync"; done
for v in $volumes; do dirs="$dirs volumes$n/\${v%:*}"; done
mkdir -p $dirs; mkfifo $pipes
for v in $volumes; do
  case $v in
    *:memory) mount -t tmpfs tmpfs volumes$n/\${v%:*};;
    *:secret) mount -t tmpfs tmpfs volumes$n/\${v%:*}; echo value > volumes$n/\${v%:*}/key;;
    *:files) echo value > volumes$n/\${v%:*}/key;;
  esac
done
for c in $5; do
  ended=\${c##*[^!]}; c=\${c%!}; b=$n$c; read lower < lower-$c
  mount -t overlay -o lowerdir=$lower,upperdir=$PWD/$b/upper,workdir=$PWD/$b/work,volatile overlay $b/rootfs
  read -r config < config-$c.json; config=\${config/ROOTFS/$PWD/$b/rootfs}; config=\${config//VOLUMES/$PWD/volumes$n}
  printf '%s' "\${config/NETNS/$PWD/net$n}" > $b/config.json
  (_OCI_SYNCPIPE=3 conmon --api-version 1 -c $b -u $b -n $b -r /usr/bin/crun -b $PWD/$b -p $PWD/$b/pid --exit-dir $PWD/exits --persist-dir $PWD/$b -l k8s-file:$PWD/$b/log --full-attach --no-sync-log --runtime-arg --root=$PWD/crun --runtime-arg --cgroup-manager=disabled 3>$b/sync </dev/null >/dev/null 2>&1 &)
  read line < $b/sync
  crun --root=$PWD/crun --cgroup-manager=disabled start $b
  [ -z "$ended" ] || while [ ! -e exits/$b ]; do :; done
done`;

/** Each container's own signal, its exit file, and everything that was made. */
const downScript = `set -e; cd "$1"; n=$2
for c in $3; do [ ! -e exits/$n$c ] || continue; read signal < signal-$c; kill -$signal $(cat $n$c/pid); done
for c in $3; do
  i=0; read signal < signal-$c
  while [ ! -e exits/$n$c ]; do
    i=$((i+1)); [ $i -lt 5000000 ]
    # Told before it listened: process 1 of a namespace has not heard it.
    [ $((i % 50000)) != 0 ] || kill -$signal $(cat $n$c/pid) || true
  done
done
for c in $3; do b=$n$c; crun --root=$PWD/crun --cgroup-manager=disabled delete -f $b; umount $b/rootfs; rm -rf $b exits/$b; done
umount net$n; rm net$n
[ ! -e volumes$n ] || { for v in volumes$n/*; do ! mountpoint -q $v || umount $v; done; rm -rf volumes$n; }`;

/** After a round that failed half way. */
const cleanupScript = `for p in "$1"/*/pid; do [ -e "$p" ] && kill -9 $(cat "$p"); done 2>/dev/null
for m in $(grep -o " $1/[^ ]*" /proc/self/mountinfo); do umount -l "$m"; done; true`;

/** Pods made with a shell, `ip`, `mount`, conmon and crun, on a bridge that is there. */
export class PodsByHand {
  readonly upScript: string;
  readonly downScript: string;
  readonly dir: string;
  readonly bridge: string;

  private constructor(dir: string, bridge: string) {
    this.dir = dir;
    this.bridge = bridge;
    this.upScript = join(dir, "up.sh");
    this.downScript = join(dir, "down.sh");
  }

  static async create(options: { dir: string; bridge: string }): Promise<PodsByHand> {
    const pods = new PodsByHand(options.dir, options.bridge);
    await mkdir(join(pods.dir, "exits"), { recursive: true });
    await writeFile(pods.upScript, upScript);
    await writeFile(pods.downScript, downScript);
    return pods;
  }

  /** A container as the engine would run it: the same process, mounts, capabilities and seccomp filter. */
  async define(name: string, spec: any, layers: readonly string[], signal: string): Promise<void> {
    const volumesDir = join(this.dir, "volumes");
    const own = {
      ...spec,
      root: { ...spec.root, path: "ROOTFS" },
      mounts: spec.mounts.filter((mount: any) => !/cgroup|shm|resolv/.test(mount.destination)),
      linux: {
        ...spec.linux,
        namespaces: [
          { type: "mount" },
          { type: "pid" },
          { type: "ipc" },
          { type: "uts" },
          { type: "network", path: "NETNS" },
        ],
      },
    };
    const config = JSON.stringify(own).replaceAll(volumesDir, "VOLUMES");
    await writeFile(join(this.dir, `config-${name}.json`), `${config}\n`);
    await writeFile(join(this.dir, `lower-${name}`), `${[...layers].reverse().join(":")}\n`);
    await writeFile(join(this.dir, `signal-${name}`), `${signal}\n`);
  }

  /** Until the last container runs. One whose name ends in `!` has to end before the next begins. */
  up(serial: string, address: string, names: readonly string[], volumes: readonly string[] = []): void {
    const args = [this.dir, serial, address, this.bridge, names.join(" "), volumes.join(" ")];
    execFileSync("bash", [this.upScript, ...args]);
  }

  /** Until the containers have ended and nothing is left. */
  down(serial: string, names: readonly string[]): void {
    const plain = names.map((name) => name.replace("!", ""));
    execFileSync("bash", [this.downScript, this.dir, serial, plain.join(" ")]);
  }

  cleanUp(): void {
    execFileSync("sh", ["-c", cleanupScript, "cleanup", this.dir]);
  }
}

/** The specification that the engine writes for a container. */
export async function engineSpec(
  runtime: Runtime,
  dirs: { dir: string; runDir: string },
  container: Parameters<typeof containerConfig>,
): Promise<any> {
  const sandbox = sandboxConfig({ dir: dirs.dir } as TestBed);
  const sandboxId = await runtime.runPodSandbox(sandbox);
  try {
    const id = await runtime.createContainer(sandboxId, containerConfig(...container), sandbox);
    return JSON.parse(await readFile(join(dirs.runDir, "bundles", id, "config.json"), "utf8"));
  } finally {
    await runtime.removePodSandbox(sandboxId);
  }
}

export interface UpAndDown {
  upMs: number;
  downMs: number;
}

export interface Handmade {
  /** nginx and toolbox, until both run; down until both are gone and nothing is left. */
  demoPod(): Promise<UpAndDown>;
  /** One container that obeys TERM. */
  onePod(): Promise<UpAndDown>;
  /** As {@link fullPod}. */
  fullPod(): Promise<UpAndDown>;
  close(): Promise<void>;
}

/** A process that has just started may not have set its signal handlers. */
const settleMs = 100;

/** The benchmark's pods by hand, with the same images, on a bridge of their own. */
export async function createHandmade(options: { imagesDir: string }): Promise<Handmade> {
  const base = await mkdtemp(join(tmpdir(), "peapod-by-hand-"));
  const id = `hand-${basename(base).slice(-6).toLowerCase()}`;
  const clock = new SystemClock();
  const shared = { clock, log: silentLog };
  const range = { dir: join(base, "network"), id, rangeCidr: "10.252.0.0/16" };
  const images = await createImageStore({
    ...shared,
    dir: join(base, "images"),
    registries: noRegistriesConfig,
  });
  const network = await createBridgeNetwork({ ...range, outside: "unreachable", log: silentLog });
  const dirs = { dir: join(base, "state"), runDir: join(base, "run"), cgroupRoot: `peapod-${id}` };
  const runtime = await createOciRuntime({
    ...{ ...dirs, ...shared, images, network, random: new SystemRandom() },
  });
  const bridge = `pp-${network.podCidr.split(".").slice(0, 3).join(".")}`;
  const hand = await PodsByHand.create({ dir: join(base, "hand"), bridge });

  const imageIds: Record<string, string> = {};
  for (const { name, layout } of await buildDemoImages(options.imagesDir)) {
    imageIds[/(\w+):latest$/.exec(name)![1]!] = (await images.load(layout))[0]!.id;
  }
  const define = async (
    name: string,
    image: string,
    command: string[],
    signal: string,
    mounts: readonly Mount[] = [],
  ) => {
    const imageId = imageIds[image]!;
    const spec = await engineSpec(runtime, dirs, [command, { imageId, mounts: [...mounts] }]);
    await hand.define(name, spec, (await images.rootfs(imageId)).layers, signal);
  };
  await define("nginx", "nginx", ["nginx", "-g", "daemon off;"], "TERM");
  // Process 1 of its namespace, without a handler: nothing but KILL ends it.
  await define("toolbox", "busybox", ["sleep", "3600"], "KILL");
  await define("obedient", "busybox", onePod("").spec.containers[0]!.command, "TERM");
  const mounts = fullPodVolumes.map(({ name }) => ({
    hostPath: join(hand.dir, "volumes", name),
    containerPath: `/${name}`,
    readOnly: false,
    propagation: "private" as const,
  }));
  for (const { hostPath } of mounts) await mkdir(hostPath, { recursive: true });
  for (const { name, image, command, kind } of fullPodContainers)
    await define(name, image, command, kind === "main" && image === "nginx" ? "TERM" : "KILL", mounts);

  let serial = 0;
  const once = async (names: string[], volumes: string[] = []): Promise<UpAndDown> => {
    const name = String(serial++);
    const address = network.podCidr.replace(/\.0\/24$/, `.${100 + (serial % 100)}`);
    const startMs = performance.now();
    hand.up(name, address, names, volumes);
    const upMs = performance.now() - startMs;
    await clock.sleep(settleMs);
    const downFromMs = performance.now();
    hand.down(name, names);
    return { upMs, downMs: performance.now() - downFromMs };
  };
  return {
    demoPod: () => once(["nginx", "toolbox"]),
    onePod: () => once(["obedient"]),
    fullPod: () =>
      once(
        fullPodContainers.map(({ name, kind }) => (kind === "init" ? `${name}!` : name)),
        fullPodVolumes.map(({ name, byHand }) => `${name}:${byHand}`),
      ),
    async close() {
      await runtime.close();
      hand.cleanUp();
      await purgeOciRuntime({ ...dirs, clock });
      await purgeBridgeNetwork(range);
      await images.close();
      await rm(base, { recursive: true, force: true });
    },
  };
}
