import assert from "node:assert/strict";
import { test } from "node:test";
import type { nodev1 } from "../api/index.ts";
import { cluster, pod, refused } from "./plugins.suite.ts";
import { mergeTolerations } from "./runtime-class.ts";

const classes = (...all: (Partial<nodev1.RuntimeClass> & { name: string })[]) =>
  cluster({
    runtimeClasses: all.map(({ name, ...rest }) => ({
      apiVersion: "node.k8s.io/v1",
      kind: "RuntimeClass",
      metadata: { name },
      handler: name,
      ...rest,
    })),
  });

test("a pod of a class that is not there is refused", async () => {
  const { admit } = classes();
  await refused(
    admit({ object: pod({ runtimeClassName: "gone" }) }),
    403,
    /^pods "p" is forbidden: pod rejected: RuntimeClass "gone" not found$/,
  );
});

test("a pod gets its class's overhead, and no other", async () => {
  const podFixed = { cpu: "10m", memory: "1Mi" };
  const { admit } = classes({ name: "heavy", overhead: { podFixed } }, { name: "light" });
  const { spec } = await admit({ object: pod({ runtimeClassName: "heavy" }) });
  assert.deepEqual(spec.overhead, podFixed);
  await admit({ object: pod({ runtimeClassName: "heavy", overhead: podFixed }) });
  await refused(
    admit({ object: pod({ runtimeClassName: "heavy", overhead: { cpu: "1" } }) }),
    403,
    /pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead/,
  );
  for (const runtimeClassName of ["light", undefined])
    await refused(
      admit({ object: pod({ runtimeClassName, overhead: { cpu: "1" } }) }),
      403,
      /pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead/,
    );
});

test("a pod goes where its class's nodes are", async () => {
  const { admit } = classes({
    name: "far",
    scheduling: {
      nodeSelector: { disk: "ssd" },
      tolerations: [{ key: "only", operator: "Exists", effect: "NoSchedule" }],
    },
  });
  const { spec } = await admit({
    object: pod({ runtimeClassName: "far", nodeSelector: { zone: "a" }, tolerations: [] }),
  });
  assert.deepEqual(spec.nodeSelector, { zone: "a", disk: "ssd" });
  assert.ok(spec.tolerations.some(({ key }: { key?: string }) => key === "only"));
  await refused(
    admit({ object: pod({ runtimeClassName: "far", nodeSelector: { disk: "hdd" } }) }),
    403,
    /conflict: runtimeClass\.scheduling\.nodeSelector\[disk\] = ssd; pod\.spec\.nodeSelector\[disk\] = hdd/,
  );
});

test("of two tolerations the wider one stays, of equal ones the first", () => {
  const narrow = { key: "a", operator: "Equal", value: "x", effect: "NoSchedule" };
  const wide = { key: "a", operator: "Exists" };
  const all = { operator: "Exists" };
  const short = { key: "b", operator: "Exists", effect: "NoExecute", tolerationSeconds: 5 };
  const long = { ...short, tolerationSeconds: 50 };
  const table: [object[], object[], object[]][] = [
    [[narrow], [wide], [wide]],
    [[wide], [narrow], [wide]],
    [[narrow], [narrow], [narrow]],
    [[narrow, short], [all], [all]],
    [[short], [long], [long]],
    [[narrow], [short], [narrow, short]],
  ];
  for (const [first, second, merged] of table) assert.deepEqual(mergeTolerations(first, second), merged);
});
