import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { SteppedClock } from "../../base/index.ts";
import { controllersOn, type Running } from "../running.suite.ts";
import { TaintEviction } from "./taint-eviction.ts";
import { stayOn } from "./toleration-time.ts";

const taint = (key: string, effect = "NoExecute"): corev1.Taint =>
  ({ key, value: "v", effect }) as corev1.Taint;
const tolerating = (key: string, tolerationSeconds?: number): corev1.Toleration => ({
  key,
  operator: "Exists",
  effect: "NoExecute",
  ...(tolerationSeconds !== undefined && { tolerationSeconds }),
});

const stays: [string, string[], corev1.Toleration[], ReturnType<typeof stayOn>][] = [
  ["a node without taints is a home", [], [], { for: "ever" }],
  ["a taint that is not tolerated ends the stay", ["a"], [], { for: "no longer" }],
  ["one of two is enough for that", ["a", "b"], [tolerating("a")], { for: "no longer" }],
  ["a toleration without a time is for ever", ["a"], [tolerating("a")], { for: "ever" }],
  ["one with a time is for so long", ["a"], [tolerating("a", 5)], { for: "seconds", seconds: 5 }],
  [
    "of several the shortest counts",
    ["a", "b"],
    [tolerating("a", 9), tolerating("b", 5)],
    { for: "seconds", seconds: 5 },
  ],
  ["no time at all is none", ["a"], [tolerating("a", 0)], { for: "no longer" }],
  ["what is not used does not count", ["a"], [tolerating("a"), tolerating("b", 5)], { for: "ever" }],
];
for (const [says, taints, tolerations, stay] of stays)
  test(says, () => {
    assert.deepEqual(
      stayOn(
        taints.map((key) => taint(key)),
        tolerations,
      ),
      stay,
    );
  });

const clock = new SteppedClock();
let running: Running;
before(async () => {
  running = await controllersOn((context) => [new TaintEviction(context)], { clock });
  await running.create({ apiVersion: "v1", kind: "Node", metadata: { name: "n" }, spec: {} });
});
after(() => running?.close());

const setTaints = (...taints: corev1.Taint[]) =>
  running.patch("v1", "nodes", "n", { spec: { taints: taints.length > 0 ? taints : null } });
const onNode = (name: string, tolerations: corev1.Toleration[] = []) =>
  running.create({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { nodeName: "n", tolerations, containers: [{ name: "c", image: "i" }] },
  });
const going = (name: string) =>
  running.until<corev1.Pod>("v1", "pods", name, ({ metadata }) => metadata.deletionTimestamp !== undefined);
const saidOf = (name: string) => running.told.filter((line) => line.startsWith(`${name} `));
/** Until the controller has said so: its timers wait on a clock that only we step. */
async function told(line: string): Promise<void> {
  while (!running.told.includes(line)) await new Promise((resolve) => setImmediate(resolve));
}

test("a pod that does not tolerate a taint goes at once, and says why", async () => {
  await onNode("plain");
  await onNode("patient", [tolerating("evict")]);
  await setTaints(taint("evict"), taint("other", "NoSchedule"));
  const pod = await going("plain");
  const { status, reason, message } = pod.status!.conditions!.find(
    ({ type }) => type === "DisruptionTarget",
  )!;
  assert.deepEqual(
    [status, reason, message],
    ["True", "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"],
  );
  assert.deepEqual(saidOf("plain"), ["plain TaintManagerEviction: Marking for deletion Pod default/plain"]);
  await onNode("late");
  await going("late");
  assert.equal((await running.get("v1", "pods", "patient")).metadata.deletionTimestamp, undefined);
  await setTaints();
});

test("a pod goes when its time is over, unless the taint goes first", async () => {
  await setTaints();
  await onNode("short", [tolerating("evict", 5)]);
  await onNode("long", [tolerating("evict", 60)]);
  await setTaints(taint("evict"));
  const shortGoes = going("short");
  // The node's event has to come first; stepping on is harmless.
  while (saidOf("short").length === 0) await clock.step(1_000);
  await shortGoes;
  assert.equal((await running.get("v1", "pods", "long")).metadata.deletionTimestamp, undefined);
  await setTaints();
  await told("long TaintManagerEviction: Cancelling deletion of Pod default/long");
  await clock.step(120_000);
  assert.equal((await running.get("v1", "pods", "long")).metadata.deletionTimestamp, undefined);
});
