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

test("events and managedFields name who did it, and Scheduled comes first", async () => {
  await cluster.kubectl(["create", "deployment", "who", "--image=busybox", "--", "sleep", "1000"]);
  await cluster.wait("deployment/who", "condition=Available");
  const { items: events } = await cluster.get("events", "--field-selector=involvedObject.name!=none");
  const sourceOf = (reason: string, kind: string) =>
    events.find((e: any) => e.reason === reason && e.involvedObject.kind === kind)?.source.component;
  assert.equal(sourceOf("ScalingReplicaSet", "Deployment"), "deployment-controller");
  assert.equal(sourceOf("SuccessfulCreate", "ReplicaSet"), "replicaset-controller");

  const [pod] = (await cluster.get("pods", "-l", "app=who", "--show-managed-fields")).items;
  const managers = pod.metadata.managedFields.map((entry: any) => entry.manager);
  for (const manager of ["kube-controller-manager", "kubelet"])
    assert.ok(managers.includes(manager), manager);
  const names = events.filter((e: any) => e.involvedObject.name === pod.metadata.name);
  assert.equal(names[0].reason, "Scheduled", "the list is in the order of names");
});
