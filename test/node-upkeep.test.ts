import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { busyboxPod, eventually, peapod, TestCluster } from "./support/cluster.ts";

const settings = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerLogMaxSize: 20Ki
containerLogMaxFiles: 4
containerLogMonitorInterval: 3s
`;

let cluster: TestCluster;
let scratch: string;
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), "peapod-upkeep-"));
  writeFileSync(join(scratch, "kubelet.yaml"), settings);
  cluster = await TestCluster.start(["--kubelet-config", join(scratch, "kubelet.yaml")]);
});
after(async () => {
  await cluster.purge();
  await rm(scratch, { recursive: true, force: true });
});

test("a log that grows is rotated, and who follows it sees every line once", async () => {
  const lines = 6_000;
  const script = `i=0; while [ $i -lt ${lines} ]; do echo "line $i"; i=$((i+1)); [ $((i % 50)) -eq 0 ] && sleep 0.05; done`;
  await cluster.apply(busyboxPod("writer", script, { restartPolicy: "Never" }));
  const following = eventually("the container writes", () =>
    cluster.kubectl(["logs", "-f", "writer"], { timeoutMs: 60_000 }),
  );
  const logs = join(cluster.dataDir, "kubelet", "logs");
  const filesOf = () => {
    const [folder] = readdirSync(logs).filter((name) => name.includes("_writer_"));
    return readdirSync(join(logs, folder!, "main")).sort();
  };
  // While it runs: with its end, a rotation may come too late to be finished.
  const rotated = eventually("it is rotated, and the last to be so is not compressed", async () =>
    /^0\.log\.\d{8}-\d{6}$/.test(filesOf().at(-1)!),
  );
  const [log] = await Promise.all([following, rotated]);
  const seen = log.trimEnd().split("\n");
  assert.deepEqual(
    seen,
    Array.from({ length: lines }, (_, i) => `line ${i}`),
  );
  const files = filesOf();
  assert.ok(files.length > 1, `it was rotated: ${files}`);
  assert.ok(files.length <= 4, `no more are kept than is said: ${files}`);
  const tail = await cluster.kubectl(["logs", "writer", "--tail=1"]);
  assert.equal(tail, `line ${lines - 1}\n`);
});

test("a node that is told to stop ends its pods by priority, each with its grace period, and says why", async () => {
  const graceful = busyboxPod(
    "graceful",
    "trap 'sleep 1; echo said goodbye > /dev/termination-log; exit 7' TERM; while :; do sleep 0.1; done",
    { terminationGracePeriodSeconds: 60 },
  );
  await cluster.apply(graceful);
  await cluster.apply(
    busyboxPod("critical", "trap 'exit 0' TERM; while :; do sleep 0.1; done", {
      priorityClassName: "system-cluster-critical",
      terminationGracePeriodSeconds: 60,
    }),
    ["-n", "kube-system"],
  );
  await cluster.wait("pod/graceful", "condition=Ready");
  await cluster.kubectl(["wait", "-n", "kube-system", "pod/critical", "--for=condition=Ready"]);
  const settle = "shutdownGracePeriod: 20s\nshutdownGracePeriodCriticalPods: 5s\n";
  writeFileSync(join(scratch, "kubelet.yaml"), settings + settle);
  await cluster.kill();
  await cluster.up();
  const { exitCode, stderr } = await peapod(["down", "--data-dir", cluster.dataDir]);
  assert.equal(exitCode, 0, stderr);
  await cluster.up();
  const [pod, system] = [
    await cluster.get("pod", "graceful"),
    await cluster.get("pod", "critical", "-n", "kube-system"),
  ];
  const why = "Pod was terminated in response to imminent node shutdown.";
  assert.deepEqual(
    [pod.status.phase, pod.status.reason, pod.status.message],
    ["Failed", "Terminated", why],
    "its container ended badly",
  );
  assert.deepEqual([system.status.phase, system.status.reason], ["Succeeded", undefined]);
  for (const { status } of [pod, system]) {
    const disruption = status.conditions.find(({ type }: { type: string }) => type === "DisruptionTarget");
    assert.deepEqual([disruption.reason, disruption.message], ["TerminationByKubelet", why]);
  }
  const ended = (each: typeof pod) => each.status.containerStatuses[0].state.terminated;
  assert.deepEqual([ended(pod).exitCode, ended(pod).message], [7, "said goodbye\n"]);
  assert.ok(ended(pod).finishedAt <= ended(system).finishedAt, "the critical one went last");
});
