import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { busyboxPod, eventually, TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start();
});
after(() => cluster?.purge());

async function killAndStart(meanwhile: () => Promise<void> = async () => {}): Promise<void> {
  await cluster.kill();
  await meanwhile();
  await cluster.up();
}

test("kill -9 of the process: the same pods run on, and what ended meanwhile has its true exit code", async () => {
  await cluster.apply(busyboxPod("survives", "while :; do date +%s; sleep 0.1; done"));
  await cluster.apply(
    busyboxPod("ends-meanwhile", "until test -e /tmp/end; do sleep 0.1; done; exit 9", {
      restartPolicy: "Never",
    }),
  );
  await cluster.wait("pod/survives", "condition=Ready");
  await cluster.wait("pod/ends-meanwhile", "condition=Ready");
  const before = await cluster.get("pod", "survives");
  // Ends a second after the agent is dead.
  await cluster.kubectl([
    "exec",
    "ends-meanwhile",
    "--",
    "sh",
    "-c",
    "(sleep 1; touch /tmp/end) >/dev/null 2>&1 &",
  ]);
  await killAndStart(() => new Promise((resolve) => setTimeout(resolve, 1500)));

  const after = await cluster.get("pod", "survives");
  assert.equal(after.metadata.uid, before.metadata.uid);
  assert.equal(after.status.podIP, before.status.podIP);
  assert.equal(after.status.containerStatuses[0].containerID, before.status.containerStatuses[0].containerID);
  assert.equal(after.status.containerStatuses[0].restartCount, 0);
  assert.equal(after.status.phase, "Running");
  assert.equal((await cluster.kubectl(["exec", "survives", "--", "echo", "hi"])).trim(), "hi");
  // A line that is written meanwhile comes along.
  assert.match(await cluster.kubectl(["logs", "survives", "--tail=1"]), /^(\d+\n)+$/);
  await cluster.wait(
    "pod/ends-meanwhile",
    "jsonpath={.status.containerStatuses[0].state.terminated.exitCode}=9",
  );
});

test("a pod deleted while the agent is down is gone after it came back", async () => {
  await cluster.apply(
    busyboxPod("deleted-at-the-end", "trap '' TERM; while :; do sleep 0.2; done", {
      terminationGracePeriodSeconds: 3,
    }),
  );
  await cluster.wait("pod/deleted-at-the-end", "condition=Ready");
  await cluster.kubectl(["delete", "pod", "deleted-at-the-end", "--wait=false"]);
  await killAndStart();
  await eventually(
    "it is gone",
    async () => (await cluster.try(["get", "pod", "deleted-at-the-end"])).exitCode === 1,
  );
});

test("a Deployment in the middle of its rollout goes on after a crash", async () => {
  await cluster.kubectl([
    "create",
    "deployment",
    "busy",
    "--image=busybox",
    "--replicas=5",
    "--",
    "sleep",
    "3600",
  ]);
  await killAndStart();
  await cluster.kubectl(["rollout", "status", "deployment/busy", "--timeout=60s"]);
  const pods = (await cluster.get("pods", "-l", "app=busy")).items;
  assert.equal(pods.length, 5);
});
