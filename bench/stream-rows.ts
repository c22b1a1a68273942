import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, writeSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { BenchCluster } from "./bench-cluster.ts";
import { kubectlLogsAloneMs } from "./kubectl-logs.ts";
import { median, ms, type Row, timeMs } from "./measure.ts";
import { CountedStream, openSpdy } from "./stream-client.ts";

const pods = "/api/v1/namespaces/default/pods";
const megabyte = 1e6;
const bytes = 256 * 1024 * 1024;
const zeroes = ["dd", "if=/dev/zero", "bs=1M", `count=${bytes / 2 ** 20}`];
const targetMBs = 200;
const runs = 3;
const forwardedPort = 9000;

/** One that writes for whoever attaches and whoever connects. */
const streamPod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "streams" },
  spec: {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: "box",
        image: "busybox",
        imagePullPolicy: "IfNotPresent",
        command: ["nc", "-ll", "-p", String(forwardedPort), "-e", ...zeroes],
      },
      {
        name: "talks",
        image: "busybox",
        imagePullPolicy: "IfNotPresent",
        stdin: true,
        command: ["sh", "-c", `while read line; do ${zeroes.join(" ")} 2>/dev/null; done`],
      },
    ],
  },
};

/** One stream at a time: how much a second it carries. */
export async function streamRows(cluster: BenchCluster, kubectl: string, which = /./): Promise<Row[]> {
  const { client } = cluster;
  await client.json("POST", pods, streamPod);
  run(kubectl, cluster, ["wait", "--for=condition=Ready", "pod/streams", "--timeout=60s"]);
  const rows: Row[] = [];
  const add = async (what: string, work: () => Promise<number>) => {
    if (!which.test(what)) return;
    const rates: number[] = [];
    const cpuBefore = cluster.cpuS();
    for (let i = 0; i < runs; i++) rates.push(bytes / megabyte / ((await work()) / 1000));
    const perCpuS = (runs * bytes) / megabyte / (cluster.cpuS() - cpuBefore);
    const rate = median(rates);
    rows.push({
      what,
      result: `${rate.toFixed(0)} MB/s, ${perCpuS.toFixed(0)} MB a second of the server's CPU`,
      target: `≥ ${targetMBs} MB/s`,
      met: rate >= targetMBs,
    });
  };
  const exec = (query: string, container = "box") => `${pods}/streams/exec?container=${container}&${query}`;
  const command = zeroes.map((word) => `command=${encodeURIComponent(word)}`).join("&");

  await add("exec, output, WebSocket", async () => {
    const stream = await CountedStream.webSocket(client, exec(`stdout=1&${command}`), "v5.channel.k8s.io");
    return timed(stream, () => stream.received(bytes));
  });
  await add("exec, output, SPDY", async () => {
    const session = await openSpdy(client, exec(`stdout=1&${command}`), "v4.channel.k8s.io");
    session.open(new Map([["streamtype", "error"]])).resume();
    let received = 0;
    return timeMs(
      () =>
        new Promise((resolve) => {
          session.open(new Map([["streamtype", "stdout"]])).on("data", (piece: Buffer) => {
            received += piece.length;
            if (received >= bytes) resolve(session.close());
          });
        }),
    );
  });
  await add("exec, standard input, WebSocket", async () => {
    const path = exec("stdin=1&command=sh&command=-c&command=cat >/dev/null".replaceAll(" ", "%20"));
    const stream = await CountedStream.webSocket(client, path, "v5.channel.k8s.io");
    return timed(stream, async () => {
      await stream.sendZeroes(0, bytes);
      stream.send(Buffer.from([255, 0]));
      await stream.said(/Success/);
    });
  });
  await add("attach, output, WebSocket", async () => {
    const path = `${pods}/streams/attach?container=talks&stdin=1&stdout=1`;
    const stream = await CountedStream.webSocket(client, path, "v4.channel.k8s.io");
    return timed(stream, async () => {
      stream.send(Buffer.from("\0go\n"));
      await stream.received(bytes);
    });
  });
  await add("port-forward, from the pod, WebSocket", async () => {
    const path = `${pods}/streams/portforward?ports=${forwardedPort}`;
    const stream = await CountedStream.webSocket(client, path, "v4.channel.k8s.io");
    return timed(stream, () => stream.received(bytes));
  });
  await add("port-forward, from the pod, kubectl", () => kubectlPortForward(kubectl, cluster));
  await add("exec, output, kubectl", () =>
    kubectlOut(kubectl, cluster, ["exec", "streams", "-c", "box", "--", ...zeroes]),
  );
  writeBigLog(cluster);
  const logPath = `${pods}/streams/log?container=box`;
  await add("logs, lines of 100 bytes, HTTP/1.1", async () => {
    const stream = await CountedStream.open(client, "GET", logPath, []);
    return timed(stream, () => stream.received(bytes));
  });
  const kubectlLogs = "logs, lines of 100 bytes, kubectl";
  await add(kubectlLogs, () => kubectlOut(kubectl, cluster, ["logs", "streams", "-c", "box"]));
  if (which.test(kubectlLogs)) {
    const tookMs = await kubectlLogsAloneMs(kubectl, bytes, join(cluster.dataDir, "kubectl-cache"));
    const alone = bytes / megabyte / (tookMs / 1_000);
    rows.at(-1)!.result += `; kubectl alone, of a server that only sends: ${alone.toFixed(0)} MB/s`;
  }
  if (which.test("exec true")) rows.push(await execTrueRow(cluster, kubectl));
  return rows;
}

async function timed(stream: CountedStream, work: () => Promise<void>): Promise<number> {
  try {
    return await timeMs(work);
  } finally {
    stream.close();
  }
}

/** Into the log of a container that says nothing itself, as conmon would. */
function writeBigLog(cluster: BenchCluster): void {
  const logs = join(cluster.dataDir, "kubelet/logs");
  const folder = readdirSync(logs).find((name) => name.startsWith("default_streams_"))!;
  const fd = openSync(join(logs, folder, "box/0.log"), "a");
  const line = `2026-01-02T03:04:05.123456789+00:00 stdout F ${"x".repeat(99)}\n`;
  const block = Buffer.from(line.repeat(10_000));
  for (let written = 0; written < bytes; written += 1_000_000) writeSync(fd, block);
  closeSync(fd);
}

function run(kubectl: string, cluster: BenchCluster, args: readonly string[]): void {
  const { status, stderr } = spawnSync(kubectl, args, {
    env: { ...process.env, KUBECONFIG: cluster.kubeconfig },
  });
  if (status !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
}

/** Into /dev/null, so that nothing but kubectl is waited for. */
function kubectlOut(kubectl: string, cluster: BenchCluster, args: readonly string[]): Promise<number> {
  return timeMs(
    () =>
      new Promise((resolve, reject) => {
        const env = { ...process.env, KUBECONFIG: cluster.kubeconfig };
        const child = spawn(kubectl, args, { env, stdio: ["ignore", "ignore", "inherit"] });
        child.once("exit", (code) => (code === 0 ? resolve(code) : reject(new Error(`kubectl: ${code}`))));
      }),
  );
}

async function kubectlPortForward(kubectl: string, cluster: BenchCluster): Promise<number> {
  const env = { ...process.env, KUBECONFIG: cluster.kubeconfig };
  const child = spawn(kubectl, ["port-forward", "pod/streams", `:${forwardedPort}`], {
    env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  try {
    const port = await new Promise<number>((resolve) => {
      let text = "";
      child.stdout.on("data", (piece) => {
        text += piece;
        const found = /127\.0\.0\.1:(\d+)/.exec(text);
        if (found) resolve(Number(found[1]));
      });
    });
    return await timeMs(
      () =>
        new Promise<void>((resolve, reject) => {
          let received = 0;
          const buffer = Buffer.allocUnsafe(256 * 1024);
          const onread = {
            buffer,
            callback: (bytesRead: number) => {
              received += bytesRead;
              if (received >= bytes) resolve();
              return true;
            },
          };
          const socket = connect({ port, host: "127.0.0.1", onread });
          socket.once("error", reject);
          socket.once("close", () => reject(new Error(`ended after ${received} bytes`)));
        }),
    );
  } finally {
    child.kill();
  }
}

/** The whole command, against kubectl's own start and the OCI runtime's exec. */
async function execTrueRow(cluster: BenchCluster, kubectl: string): Promise<Row> {
  const samples = { exec: [] as number[], start: [] as number[], crun: [] as number[] };
  const env = { ...process.env, KUBECONFIG: cluster.kubeconfig };
  const id = containerId(cluster, kubectl);
  const root = runtimeRootOf(id);
  for (let i = -3; i < 30; i++) {
    const once = (program: string, args: readonly string[]) =>
      timeMs(
        () =>
          new Promise<void>((resolve, reject) => {
            const child = spawn(program, args, { env, stdio: ["ignore", "ignore", "inherit"] });
            child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${program}: ${code}`))));
          }),
      );
    const [exec, start, crun] = [
      await once(kubectl, ["exec", "streams", "-c", "box", "--", "true"]),
      await once(kubectl, ["version", "--client"]),
      await once("crun", ["--root", root, "--cgroup-manager=disabled", "exec", id, "true"]),
    ];
    if (i < 0) continue;
    samples.exec.push(exec);
    samples.start.push(start);
    samples.crun.push(crun);
  }
  const [exec, start, crun] = [median(samples.exec), median(samples.start), median(samples.crun)];
  return {
    what: "kubectl exec … true (crun exec + kubectl's start)",
    result: `${ms(exec)} (${ms(crun)} + ${ms(start)}): ${(exec / (crun + start)).toFixed(2)} ×`,
    target: "≤ 1.5 ×",
    met: exec <= 1.5 * (crun + start),
  };
}

function containerId(cluster: BenchCluster, kubectl: string): string {
  const path = "jsonpath={.status.containerStatuses[?(@.name=='box')].containerID}";
  const env = { ...process.env, KUBECONFIG: cluster.kubeconfig };
  const { stdout } = spawnSync(kubectl, ["get", "pod", "streams", "-o", path], { env });
  return stdout.toString().replace(/^.*:\/\//, "");
}

function runtimeRootOf(containerId: string): string {
  const roots = readdirSync("/run/peapod").map((cluster) => join("/run/peapod", cluster, "runtime"));
  return roots.find((root) => existsSync(join(root, containerId)))!;
}
