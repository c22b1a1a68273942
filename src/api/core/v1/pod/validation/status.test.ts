import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../../../index.ts";
import { decodedPod, lines } from "../../../../kind.suite.ts";
import { shouldRestart, validatePodStatusUpdate } from "./status.ts";

function errorsOf(spec: object, before: corev1.PodStatus, after: corev1.PodStatus): string[] {
  const old = decodedPod(spec);
  const pod = structuredClone(old);
  old.status = before;
  pod.status = after;
  return lines(validatePodStatusUpdate(pod, old));
}

const ended = (exitCode: number): corev1.ContainerStatus =>
  ({ name: "main", state: { terminated: { exitCode } } }) as corev1.ContainerStatus;
const running = { name: "main", state: { running: {} } } as corev1.ContainerStatus;
const resurrected =
  "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state";

for (const [restartPolicy, exitCode, ...errors] of [
  ["Always", 0],
  ["OnFailure", 1],
  ["OnFailure", 0, resurrected],
  ["Never", 1, resurrected],
] as const) {
  test(`with restartPolicy ${restartPolicy}, after exit code ${exitCode} a container ${errors.length === 0 ? "may" : "may not"} run again`, () => {
    assert.deepEqual(
      errorsOf({ restartPolicy }, { containerStatuses: [ended(exitCode)] }, { containerStatuses: [running] }),
      errors,
    );
  });
}

test("the QoS class stays", () => {
  assert.deepEqual(errorsOf({}, { qosClass: "BestEffort" }, { qosClass: "Guaranteed" }), [
    `status.qosClass: Invalid value: "Guaranteed": field is immutable`,
  ]);
});

test("a pod has one address of each family", () => {
  assert.deepEqual(errorsOf({}, {}, { podIPs: [{ ip: "10.0.0.1" }, { ip: "fd00::1" }] }), []);
  assert.deepEqual(errorsOf({}, {}, { podIPs: [{ ip: "10.0.0.1" }, { ip: "10.0.0.2" }] }), [
    `status.podIPs: Invalid value: [{"ip":"10.0.0.1"},{"ip":"10.0.0.2"}]: may specify no more than one IP for each IP family`,
  ]);
  assert.deepEqual(errorsOf({}, {}, { podIPs: [{ ip: "x" }] }), [
    `status.podIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`,
  ]);
});

test("the first of the host's addresses is the host's address", () => {
  assert.deepEqual(errorsOf({}, {}, { hostIP: "10.0.0.1", hostIPs: [{ ip: "10.0.0.2" }] }), [
    `status.hostIPs[0].ip: Invalid value: "10.0.0.2": must be equal to \`hostIP\``,
  ]);
});

test("a bound pod is nominated for no node", () => {
  assert.deepEqual(errorsOf({ nodeName: "a" }, {}, { nominatedNodeName: "b" }), [
    "status.nominatedNodeName: Forbidden: may not be set on pods that are already bound to a node",
  ]);
});

test("a condition's type is a qualified name", () => {
  const conditions = [{ type: "a b", status: "True" }] as corev1.PodCondition[];
  assert.match(
    errorsOf({}, {}, { conditions })[0]!,
    /^status\.conditions\[0\]\.Type: Invalid value: "a b": name part/,
  );
});

test("a container's rules come before its policy, and that before the pod's", () => {
  const { spec } = decodedPod({ restartPolicy: "Never" });
  const main = { name: "main", image: "i" };
  assert.equal(shouldRestart(main, spec!, 1), false);
  assert.equal(shouldRestart({ ...main, restartPolicy: "OnFailure" }, spec!, 1), true);
  const withRule = {
    ...main,
    restartPolicy: "Never",
    restartPolicyRules: [{ action: "Restart", exitCodes: { operator: "In", values: [42] } }],
  };
  assert.equal(shouldRestart(withRule, spec!, 42), true);
  assert.equal(shouldRestart(withRule, spec!, 41), false);
});
