import assert from "node:assert/strict";
import { test } from "node:test";
import { bindCompletedAnnotation, type corev1, type storagev1 } from "../../api/index.ts";
import { node, on, placed, pod } from "../view.suite.ts";
import type { VolumeView } from "../volumes/volume-view.ts";

/** Claims named after their volumes; `new-…` are still to be made, by the driver itself. */
const view = (limit: number | undefined, attached: string[] = []): Partial<VolumeView> => ({
  claim: (namespace, name) =>
    ({
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name, namespace, annotations: { [bindCompletedAnnotation]: "yes" } },
      spec: {
        storageClassName: "disk",
        accessModes: ["ReadWriteOnce"],
        ...(!name.startsWith("new-") && { volumeName: name }),
      },
      status: { phase: name.startsWith("new-") ? "Pending" : "Bound" },
    }) as corev1.PersistentVolumeClaim,
  volume: (name) =>
    ({
      metadata: { name },
      spec: { csi: { driver: "disk.test", volumeHandle: `handle-${name}` } },
    }) as corev1.PersistentVolume,
  storageClass: () => ({ provisioner: "disk.test" }) as storagev1.StorageClass,
  volumeLimits: () => new Map(limit === undefined ? [] : [["disk.test", limit]]),
  attachedTo: () => attached,
});
const using = (name: string, ...claims: string[]) =>
  pod(
    { volumes: claims.map((claim) => ({ name: claim, persistentVolumeClaim: { claimName: claim } })) },
    {},
    { name },
  );

const cases: [what: string, limit: number | undefined, there: string[], attached: string[], fits: boolean][] =
  [
    ["there is room", 2, ["a"], [], true],
    ["there is none", 2, ["a", "b"], [], false],
    ["nobody says how much there is", undefined, ["a", "b"], [], true],
    ["it has the volume already", 1, ["wanted"], [], true],
    ["another's volume is still attached", 2, ["a"], ["b"], false],
    ["what is attached is what a pod uses", 2, ["a"], ["a"], true],
    ["a volume that is still to be made takes the room", 1, ["new-a"], [], false],
  ];
for (const [what, limit, there, attached, fits] of cases) {
  test(`a pod ${fits ? "goes" : "does not go"} to a node where ${what}`, () => {
    const info = on(node("n"), ...there.map((claim) => using(`uses-${claim}`, claim)));
    assert.equal(
      placed(using("p", "wanted"), [info], { volumes: view(limit, attached) }),
      fits ? "n" : "0/1 nodes are available: 1 node(s) exceed max volume count.",
    );
  });
}
