import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { busyboxPod, eventually, TestCluster } from "./support/cluster.ts";

/** As upstream's test/e2e/common/node/container_restart_policy.go. */
describe("restart rules", { timeout: 240_000 }, () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.start();
  });
  after(() => cluster?.purge());

  const rule = (action: string, values: number[], operator = "In") => ({
    action,
    exitCodes: { operator, values },
  });
  const container = (name: string, script: string, more: Record<string, unknown> = {}) => ({
    ...{ name, image: "busybox", command: ["sh", "-c", script] },
    ...more,
  });
  const apply = (name: string, spec: Record<string, unknown>) =>
    cluster.apply({ ...busyboxPod(name), spec: { terminationGracePeriodSeconds: 0, ...spec } });
  const statusesOf = async (name: string) => {
    const { status } = await cluster.get("pod", name);
    return [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  };

  for (const [what, policy, exitCode, more] of [
    [
      "a rule that matches",
      "Never",
      42,
      { restartPolicy: "Never", restartPolicyRules: [rule("Restart", [42])] },
    ],
    [
      "a rule of all other codes",
      "Never",
      7,
      { restartPolicy: "Never", restartPolicyRules: [rule("Restart", [0], "NotIn")] },
    ],
    ["its own policy Always", "Never", 1, { restartPolicy: "Always" }],
  ] as const) {
    test(`${what} restarts a container, whatever the pod's policy`, async () => {
      const name = `restarts-${exitCode}`;
      await apply(name, { restartPolicy: policy, containers: [container("main", `exit ${exitCode}`, more)] });
      await eventually("it restarts", async () => (await statusesOf(name))[0]?.restartCount > 0);
    });
  }

  for (const [what, policy, more] of [
    [
      "a rule that does not match",
      "Never",
      { restartPolicy: "Never", restartPolicyRules: [rule("Restart", [42])] },
    ],
    ["its own policy Never", "Always", { restartPolicy: "Never" }],
  ] as const) {
    test(`${what} lets a container end`, async () => {
      const name = `ends-${policy.toLowerCase()}`;
      await apply(name, { restartPolicy: policy, containers: [container("main", "exit 1", more)] });
      await cluster.wait(`pod/${name}`, "jsonpath={.status.phase}=Failed");
      assert.equal((await statusesOf(name))[0].restartCount, 0);
    });
  }

  const restartAll = { restartPolicy: "Never", restartPolicyRules: [rule("RestartAllContainers", [42])] };
  const workdir = { volumeMounts: [{ name: "workdir", mountPath: "/mnt" }] };
  const volumes = [{ name: "workdir", emptyDir: {} }];
  const once = "if [ -f /mnt/done ]; then exec sleep 3600; fi; touch /mnt/done; exit 42";

  test("RestartAllContainers starts init containers, sidecars and the others anew, with their volumes", async () => {
    await apply("all", {
      restartPolicy: "Never",
      volumes,
      initContainers: [
        container("init", "exit 0"),
        container("sidecar", "exec sleep 3600", { restartPolicy: "Always" }),
      ],
      containers: [
        container("source", once, { ...restartAll, ...workdir }),
        container("other", "exec sleep 3600"),
      ],
    });
    const { uid } = (await cluster.get("pod", "all")).metadata;
    await eventually("all have restarted", async () => {
      const statuses = await statusesOf("all");
      return statuses.length === 4 && statuses.every(({ restartCount }) => restartCount === 1);
    });
    await cluster.wait("pod/all", "condition=Ready");
    assert.equal((await cluster.get("pod", "all")).metadata.uid, uid);
    for (const { name, lastState } of await statusesOf("all")) assert.ok(lastState.terminated, name);
    const described = await cluster.kubectl(["describe", "pod", "all"]);
    assert.match(described, /Reason: +RestartingAllContainers/);
    assert.match(described, /AllContainersRestarting +False/);
  });
});
