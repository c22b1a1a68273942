/**
 * The container engine against the same work by hand (a shell, ip, mount, conmon, crun), in one run:
 * `node --import tsx bench/runtime.ts`. Needs root and the Debian packages crun, conmon, busybox-static, iproute2,
 * nftables.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { SystemClock, SystemRandom, silentLog } from "../src/base/index.ts";
import { createBridgeNetwork, purgeBridgeNetwork } from "../src/network/index.ts";
import { createOciRuntime, purgeOciRuntime, type Runtime } from "../src/runtime/index.ts";
import { containerConfig, FakeImageStore, sandboxConfig, type TestBed } from "../src/runtime/oci/test-bed.ts";
import { engineSpec, PodsByHand } from "./by-hand.ts";

const rounds = Number(process.argv[2] ?? 20);
const burstPods = 50;
const settleMs = 100;

const base = await mkdtemp(join(tmpdir(), "peapod-bench-"));
const id = `bench-${basename(base).slice(-6).toLowerCase()}`;
const clock = new SystemClock();
const images = await FakeImageStore.create(join(base, "images"));
const network = await createBridgeNetwork({
  dir: join(base, "network"),
  id,
  rangeCidr: "10.251.0.0/16",
  outside: "unreachable",
  log: silentLog,
});
const dirs = { dir: join(base, "state"), runDir: join(base, "run"), cgroupRoot: `peapod-${id}` };
const runtime = await createOciRuntime({
  ...{ ...dirs, images, network, clock, random: new SystemRandom(), log: silentLog },
});
const bed = { dir: dirs.dir } as TestBed;

/** Ends at once when asked to, as nginx does. */
const obedient = ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"];

interface Pod {
  sandbox: string;
  containers: string[];
}

async function up(engine: Runtime, names: readonly string[]): Promise<Pod> {
  const config = sandboxConfig(bed);
  const sandbox = await engine.runPodSandbox(config);
  const containers: string[] = [];
  for (const name of names) {
    const container = containerConfig(obedient, { metadata: { name, attempt: 0 }, logPath: `${name}/0.log` });
    const containerId = await engine.createContainer(sandbox, container, config);
    await engine.startContainer(containerId);
    containers.push(containerId);
  }
  return { sandbox, containers };
}

async function down(engine: Runtime, pod: Pod): Promise<void> {
  await Promise.all(pod.containers.map((c) => engine.stopContainer(c, { graceS: 1 })));
  await engine.stopPodSandbox(pod.sandbox);
  await engine.removePodSandbox(pod.sandbox);
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

const rows: [string, string, string, string][] = [];
const ms = (value: number) => `${value.toFixed(1)} ms`;
function row(what: string, ours: number, hand: number): void {
  rows.push([what, ms(ours), ms(hand), `${(ours / hand).toFixed(2)} ×`]);
}

let hand: PodsByHand | undefined;
try {
  const bridge = `pp-${network.podCidr.split(".").slice(0, 3).join(".")}`;
  hand = await PodsByHand.create({ dir: join(base, "hand"), bridge });
  const spec = await engineSpec(runtime, dirs, [obedient]);
  for (const name of ["a", "b"]) await hand.define(name, spec, [join(base, "images/busybox")], "TERM");
  const times = {
    up: [] as number[],
    down: [] as number[],
    handUp: [] as number[],
    handDown: [] as number[],
  };
  const delays = monitorEventLoopDelay({ resolution: 1 });
  for (let i = 0; i < rounds; i++) {
    const address = network.podCidr.replace(/\.0\/24$/, `.${200 + (i % 40)}`);
    let start = performance.now();
    hand.up(String(i), address, ["a", "b"]);
    times.handUp.push(performance.now() - start);
    await clock.sleep(settleMs);
    start = performance.now();
    hand.down(String(i), ["a", "b"]);
    times.handDown.push(performance.now() - start);

    start = performance.now();
    const pod = await up(runtime, ["nginx", "toolbox"]);
    times.up.push(performance.now() - start);
    // A shell that has not set its trap yet, as pid 1, does not hear TERM.
    await clock.sleep(settleMs);
    start = performance.now();
    await down(runtime, pod);
    times.down.push(performance.now() - start);
  }
  row("demo pod (two containers) up", median(times.up), median(times.handUp));
  row("demo pod down (TERM obeyed) and removed", median(times.down), median(times.handDown));

  const start = performance.now();
  delays.enable();
  const pods = await Promise.all(Array.from({ length: burstPods }, () => up(runtime, ["main"])));
  const burstMs = performance.now() - start;
  delays.disable();
  rows.push([
    `${burstPods} one-container pods at once`,
    `${((burstPods / burstMs) * 1000).toFixed(1)} pods/s`,
    "",
    "",
  ]);
  const prefix = network.podCidr.replace(/\.0\/24$/, "");
  const handStart = performance.now();
  const burst = `seq 100 ${99 + burstPods} | xargs -P 2 -I% bash ${hand.upScript} ${hand.dir} % ${prefix}.% ${bridge} a`;
  execFileSync("bash", ["-c", burst]);
  const handMs = performance.now() - handStart;
  rows[2]![2] = `${((burstPods / handMs) * 1000).toFixed(1)} pods/s`;
  rows[2]![3] = `${(burstMs / handMs).toFixed(2)} ×`;
  const downHand = `seq 100 ${99 + burstPods} | xargs -P 2 -I% bash ${hand.downScript} ${hand.dir} % a`;
  const handDownStart = performance.now();
  execFileSync("bash", ["-c", downHand]);
  const handDownMs = performance.now() - handDownStart;
  const exec: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const began = performance.now();
    await runtime.execSync(pods[0]!.containers[0]!, ["true"], {});
    exec.push(performance.now() - began);
  }
  rows.push(["execSync of true", ms(median(exec)), "", ""]);
  const downStart = performance.now();
  await Promise.all(pods.map((pod) => down(runtime, pod)));
  row(`${burstPods} pods down`, performance.now() - downStart, handDownMs);
  rows.push([
    "event loop delay p99 / max",
    `${ms(delays.percentile(99) / 1e6)} / ${ms(delays.max / 1e6)}`,
    "",
    "",
  ]);
  console.table(rows.map(([what, peapod, hand, ratio]) => ({ what, peapod, "by hand": hand, ratio })));
} finally {
  await runtime.close();
  await purgeOciRuntime({ ...dirs, clock });
  await purgeBridgeNetwork({ dir: join(base, "network"), id, rangeCidr: "10.251.0.0/16" });
  hand?.cleanUp();
  await rm(base, { recursive: true, force: true });
}
