import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
import { type KubeObject, StatusError } from "../machinery/index.ts";
import type { AdmissionRequest } from "./contract.ts";
import { podResize } from "./pod-resize.ts";

const node = (labels: Record<string, string> = {}) =>
  ({
    metadata: { name: "n1", labels },
    status: { allocatable: { cpu: "2", memory: "1Gi" } },
  }) as unknown as corev1.Node;

function resize(requests: Record<string, string>, given: { node?: corev1.Node; generation?: number } = {}) {
  const pod = (generation: number): KubeObject => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "default", generation },
    spec: { nodeName: "n1", containers: [{ name: "c", image: "i", resources: { requests } }] },
  });
  const plugin = podResize(() => ("node" in given ? given.node : node()));
  const request: AdmissionRequest = {
    operation: "UPDATE",
    kind: { group: "", version: "v1", kind: "Pod" },
    resource: { group: "", version: "v1", resource: "pods" },
    subresource: "resize",
    namespace: "default",
    name: "p",
    user: { name: "ann", groups: [] },
    dryRun: false,
    object: pod(given.generation ?? 2),
    old: pod(1),
    warn: () => {},
    audit: () => {},
  };
  assert.ok(plugin.wants(request));
  return plugin.validate!(request) as Promise<void>;
}

test("a resize that no room on the node would ever satisfy is refused with the cause NodeCapacity", async () => {
  await assert.rejects(resize({ cpu: "3", memory: "2Gi" }), (error) => {
    assert.ok(error instanceof StatusError);
    assert.equal(error.code, 403);
    assert.equal(
      error.message,
      'pods "p" is forbidden: node didn\'t have enough allocatable resources: cpu, requested: 3000, allocatable: 2000; memory, requested: 2147483648, allocatable: 1073741824',
    );
    assert.deepEqual(error.status.details?.causes, [{ reason: "NodeCapacity" }]);
    return true;
  });
  await resize({ cpu: "2", memory: "1Gi" });
});

test("a resize on a node that is no Linux, or not there, is refused; one that changes nothing is not looked at", async () => {
  await assert.rejects(
    resize({ cpu: "1" }, { node: node({ "kubernetes.io/os": "windows" }) }),
    /pod resize is only supported on linux nodes, node "n1" is "windows"/,
  );
  await assert.rejects(resize({ cpu: "1" }, { node: undefined }), /node "n1" not found/);
  await resize({ cpu: "3" }, { node: undefined, generation: 1 });
});
