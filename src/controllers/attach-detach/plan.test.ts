import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import {
  type AttachmentView,
  allowsManyNodes,
  attachMsMax,
  forceDetachAfterMs,
  multiAttachMessage,
  planAttachments,
  type Step,
  type VolumeView,
} from "./plan.ts";

const now = 1_000_000;
const driver = { name: "d.test", handle: "h" };
const on = (nodeName: string, change: Partial<AttachmentView> = {}): AttachmentView => ({
  ...{ name: `to-${nodeName}`, nodeName, createdAtMs: now, isAttached: true, isDeleting: false },
  ...{ error: undefined, isInUse: false, node: "well", detachingSinceMs: now },
  ...change,
});
const short = (step: Step): string => {
  switch (step.do) {
    case "attach":
      return `attach ${step.nodeName}`;
    case "detach":
      return `detach ${step.attachment} even ${step.even}`;
    case "refuse":
      return `refuse ${step.nodeName}: on ${step.elsewhere.join(",")}`;
    case "tell":
      return `tell ${step.nodeName}: ${step.failure}`;
    case "wait":
      return `wait ${step.ms}`;
  }
};

const cases: [what: string, wanted: string[], attachments: AttachmentView[], steps: string[]][] = [
  ["a volume that a pod needs is attached to its node", ["a"], [], ["attach a"]],
  ["what is attached and needed stays", ["a"], [on("a")], []],
  ["what no pod needs is detached", [], [on("a")], ["detach to-a even unused"]],
  ["not while its node has it mounted", [], [on("a", { isInUse: true })], [`wait ${forceDetachAfterMs}`]],
  [
    "nor from a node that is well, however long that takes",
    [],
    [on("a", { isInUse: true, detachingSinceMs: now - forceDetachAfterMs })],
    [`wait ${forceDetachAfterMs}`],
  ],
  [
    "but from one that is not well, after a time",
    [],
    [on("a", { isInUse: true, node: "not well", detachingSinceMs: now - forceDetachAfterMs })],
    ["detach to-a even in use"],
  ],
  [
    "a node that is not well has that time",
    [],
    [on("a", { isInUse: true, node: "not well", detachingSinceMs: now - 60_000 })],
    [`wait ${forceDetachAfterMs - 60_000}`],
  ],
  [
    "at once from a node that is out of service or gone",
    [],
    [on("a", { isInUse: true, node: "out of service" }), on("b", { isInUse: true, node: "gone" })],
    ["detach to-a even in use", "detach to-b even in use"],
  ],
  ["what is being detached is left to its driver", [], [on("a", { isDeleting: true })], []],
  [
    "a volume of one node moves once it is off the first",
    ["b"],
    [on("a")],
    ["detach to-a even unused", "refuse b: on a"],
  ],
  ["also while it is still being detached", ["b"], [on("a", { isDeleting: true })], ["refuse b: on a"]],
  [
    "a driver that is slow has its time",
    ["a"],
    [on("a", { isAttached: false, createdAtMs: now - 20_000 })],
    [`wait ${attachMsMax - 20_000}`],
  ],
  [
    "and is told of past it",
    ["a"],
    [on("a", { isAttached: false, createdAtMs: now - attachMsMax })],
    [
      "tell a: timed out waiting for external-attacher of d.test CSI driver to attach volume h",
      `wait ${attachMsMax}`,
    ],
  ],
  [
    "what a driver says went wrong is told",
    ["a"],
    [on("a", { isAttached: false, error: "no slot" })],
    ["tell a: no slot"],
  ],
];

for (const [what, wanted, attachments, steps] of cases) {
  test(what, () => {
    const view: VolumeView = { wanted: new Set(wanted), attachments, allowsManyNodes: false };
    assert.deepEqual(planAttachments(view, driver, now).map(short), steps);
  });
}

test("a volume of many nodes is attached to each that needs it", () => {
  const view = { wanted: new Set(["a", "b"]), attachments: [on("a")], allowsManyNodes: true };
  assert.deepEqual(planAttachments(view, driver, now).map(short), ["attach b"]);
});

test("whether a volume may be on many nodes is told by its access modes; without any, the driver decides", () => {
  const modes: [string[] | undefined, boolean][] = [
    [undefined, true],
    [["ReadWriteOnce"], false],
    [["ReadWriteOncePod"], false],
    [["ReadWriteOnce", "ReadOnlyMany"], true],
    [["ReadWriteMany"], true],
  ];
  for (const [accessModes, many] of modes)
    assert.equal(allowsManyNodes({ spec: { accessModes } } as corev1.PersistentVolume), many);
});

test("a pod learns which pods have its volume, but no names from other namespaces", () => {
  const pod = (name: string, namespace: string) => ({ metadata: { name, namespace } }) as corev1.Pod;
  const me = pod("me", "mine");
  const others = [pod("a", "mine"), pod("b", "mine"), pod("secret", "theirs")];
  assert.equal(
    multiAttachMessage(me, []),
    "Volume is already exclusively attached to one node and can't be attached to another",
  );
  assert.equal(multiAttachMessage(me, others.slice(0, 2)), "Volume is already used by pod(s) a, b");
  assert.equal(
    multiAttachMessage(me, others),
    "Volume is already used by pod(s) a, b and 1 pod(s) in different namespaces",
  );
  assert.equal(
    multiAttachMessage(me, others.slice(2)),
    "Volume is already used by 1 pod(s) in different namespaces",
  );
});
