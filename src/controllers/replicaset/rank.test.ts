import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { rankForDeletion } from "./rank.ts";

const pod = (
  name: string,
  change: {
    node?: string;
    phase?: string;
    readyAt?: string;
    cost?: string;
    restarts?: number;
    createdAt?: string;
  } = {},
) =>
  ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      uid: name,
      creationTimestamp: change.createdAt ?? "2026-01-01T00:00:00Z",
      annotations: change.cost ? { "controller.kubernetes.io/pod-deletion-cost": change.cost } : {},
    },
    spec: { nodeName: change.node ?? "", containers: [] },
    status: {
      phase: change.phase ?? "Running",
      conditions: change.readyAt
        ? [{ type: "Ready", status: "True", lastTransitionTime: change.readyAt }]
        : [],
      containerStatuses: [{ restartCount: change.restarts ?? 0 }],
    },
  }) as unknown as corev1.Pod;

test("a ReplicaSet that shrinks gives up the least useful pods first", () => {
  const ready = "2026-01-01T00:00:00Z";
  const inOrder = [
    pod("unassigned"),
    pod("pending", { node: "a", phase: "Pending" }),
    pod("not-ready", { node: "a" }),
    pod("cheap", { node: "a", readyAt: ready, cost: "-5" }),
    pod("ready-for-a-minute", { node: "a", readyAt: "2026-01-01T01:00:00Z" }),
    pod("restarted", { node: "a", readyAt: ready, restarts: 3 }),
    pod("younger", { node: "a", readyAt: ready, createdAt: "2026-01-01T00:30:00Z" }),
    pod("older", { node: "a", readyAt: ready }),
    pod("dear", { node: "a", readyAt: ready, cost: "5" }),
  ];
  const names = (pods: corev1.Pod[]) => pods.map((p) => p.metadata.name);
  assert.deepEqual(names(rankForDeletion([...inOrder].reverse())), names(inOrder));
});
