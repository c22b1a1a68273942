import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { busyboxPod, TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start();
});
after(() => cluster?.purge());

test("auth can-i --list shows the administrator's and an account's rules", async () => {
  assert.match(await cluster.kubectl(["auth", "can-i", "--list"]), /^\*\.\*\s+\[\]\s+\[\]\s+\[\*\]/m);
  const account = ["--as=system:serviceaccount:default:default", "--as-group=system:authenticated"];
  const list = await cluster.kubectl(["auth", "can-i", "--list", ...account]);
  assert.match(list, /selfsubjectreviews\.authentication\.k8s\.io/);
  assert.doesNotMatch(list, /^\*\.\*/m);
});

test("a container of any user leaves its last words in a file of its choice", async () => {
  const script = "echo -n DONE > /dev/termination-custom-log";
  const pod = busyboxPod("last-words", script, {
    restartPolicy: "Never",
    containers: [
      {
        name: "main",
        image: "busybox",
        command: ["sh", "-c", script],
        terminationMessagePath: "/dev/termination-custom-log",
        securityContext: { runAsUser: 1000 },
      },
    ],
  });
  await cluster.apply(pod);
  await cluster.wait("pod/last-words", "jsonpath={.status.phase}=Succeeded");
  const { status } = await cluster.get("pod", "last-words");
  assert.equal(status.containerStatuses[0].state.terminated.message, "DONE");
});
