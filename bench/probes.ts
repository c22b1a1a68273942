/*
 * What probes cost the agent: a thousand a second, of each kind, on loopback against a server in another process.
 *
 *   node bench/built.mjs bench/probes.ts [httpGet|tcpSocket|grpc|exec …]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { corev1 } from "../src/api/index.ts";
import { SystemClock, SystemRandom, silentLog } from "../src/base/index.ts";
import type { ObservedContainer } from "../src/kubelet/plan/observation.ts";
import { Prober } from "../src/kubelet/probes/prober.ts";
import { openDialer, type Runtime } from "../src/runtime/index.ts";
import { printTable, type Row } from "./measure.ts";

const containers = 1_000;
const periodS = 1;
/** What a young process compiles is not what probes cost. */
const warmS = 8;
const measuredS = 10;
const target = 10;

type Kind = "httpGet" | "tcpSocket" | "grpc" | "exec";
const kinds: readonly Kind[] = ["httpGet", "tcpSocket", "grpc", "exec"];

/** Of the engine only what a probe asks for; how long an exec takes is the engine's. */
const runtime = {
  execSync: async () => ({ exitCode: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }),
} as unknown as Runtime;

function probeOf(kind: Kind, ports: { http: number; grpc: number }): corev1.Probe {
  const common = { periodSeconds: periodS, timeoutSeconds: 5, failureThreshold: 3 };
  switch (kind) {
    case "httpGet":
      return { ...common, httpGet: { host: "127.0.0.1", port: ports.http, path: "/healthz" } };
    case "tcpSocket":
      return { ...common, tcpSocket: { host: "127.0.0.1", port: ports.http } };
    case "grpc":
      return { ...common, grpc: { port: ports.grpc, service: "" } };
    case "exec":
      return { ...common, exec: { command: ["true"] } };
  }
}

/** CPU of this process, as a share of a core, while the probes run. */
async function measure(kind: Kind, ports: { http: number; grpc: number }): Promise<Row> {
  const clock = new SystemClock();
  let failures = 0;
  const prober = new Prober({
    ...{ clock, random: new SystemRandom(), log: silentLog, runtime, dialer: await openDialer(clock) },
    events: { event: () => failures++, annotatedEvent: () => failures++ },
  });
  const livenessProbe = probeOf(kind, ports);
  for (let i = 0; i < containers; i++) {
    const pod = {
      metadata: { name: `p${i}`, namespace: "default", uid: `u${i}` },
      spec: { containers: [{ name: "c", image: "i", livenessProbe }] },
    } as corev1.Pod;
    const observed = { id: `c${i}`, name: "c", createdAtMs: clock.now() } as ObservedContainer;
    // As containers start: one after the other.
    setTimeout(() => prober.sync(pod, [observed], "127.0.0.1", () => {}), (i * periodS * 1_000) / containers);
  }
  const done = () => prober.counts.reduce((sum, { value }) => sum + value, 0);
  await new Promise((resolve) => setTimeout(resolve, warmS * 1_000));
  const [before, doneBefore] = [process.cpuUsage(), done()];
  await new Promise((resolve) => setTimeout(resolve, measuredS * 1_000));
  const { user, system } = process.cpuUsage(before);
  // On a machine that is busy with other things there are fewer.
  const tries = done() - doneBefore;
  prober.close();
  const percentOf = (cpuUs: number) => (cpuUs / tries) * (containers / periodS / 1e4);
  const percent = percentOf(user + system);
  return {
    what: `${containers / periodS} ${kind} probes a second${failures ? ` (${failures} FAILED)` : ""}`,
    result: `${percent.toFixed(1)} % of a core (user ${percentOf(user).toFixed(1)}, system ${percentOf(system).toFixed(1)})`,
    target: `≤ ${target} %`,
    met: percent <= target && failures === 0,
  };
}

const server = spawn(process.execPath, ["--import", "tsx", "bench/probed.ts"], {
  stdio: ["pipe", "pipe", "inherit"],
});
const [line] = await once(server.stdout, "data");
const ports = JSON.parse(String(line)) as { http: number; grpc: number };
const wanted = process.argv.slice(2) as Kind[];
const rows: Row[] = [];
for (const kind of wanted.length > 0 ? wanted : kinds) rows.push(await measure(kind, ports));
printTable(rows);
server.kill();
