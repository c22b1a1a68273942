import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { cluster, pod, refused, resource } from "../plugins.suite.ts";
import { violationsOfPod } from "./violations.ts";

const limited = (...limits: object[]) =>
  cluster({ limitRanges: [{ metadata: { name: "limits" }, spec: { limits } }] }).admit;

const asking = (requests: object, limits: object = {}) =>
  pod({ containers: [{ name: "c", image: "i", resources: { requests, limits } }] });

test("a container that asks for nothing gets the defaults, and the pod says which", async () => {
  const admit = limited({
    type: "Container",
    default: { cpu: "500m", memory: "500Mi" },
    defaultRequest: { cpu: "100m", memory: "200Mi" },
  });
  const bare = await admit({
    object: pod({
      containers: [{ name: "c", image: "i", resources: { requests: { cpu: "300m" } } }],
      initContainers: [{ name: "first", image: "i", resources: { limits: { cpu: "1", memory: "1Gi" } } }],
    }),
  });
  assert.deepEqual(bare.spec.containers[0].resources, {
    limits: { cpu: "500m", memory: "500Mi" },
    requests: { cpu: "300m", memory: "200Mi" },
  });
  assert.deepEqual(bare.spec.initContainers[0].resources, {
    limits: { cpu: "1", memory: "1Gi" },
    requests: { cpu: "100m", memory: "200Mi" },
  });
  assert.equal(
    bare.metadata.annotations["kubernetes.io/limit-ranger"],
    "LimitRanger plugin set: memory request for container c; cpu, memory limit for container c; cpu, memory request for init container first",
  );
});

const refusals: [string, object, object, object, RegExp][] = [
  [
    "a request under the minimum",
    { type: "Container", min: { cpu: "50m" } },
    { cpu: "10m" },
    {},
    /^pods "p" is forbidden: minimum cpu usage per Container is 50m, but request is 10m$/,
  ],
  [
    "no request where there is a minimum",
    { type: "Container", min: { cpu: "50m" } },
    {},
    {},
    /minimum cpu usage per Container is 50m. {2}No request is specified$/,
  ],
  [
    "no limit where there is a maximum",
    { type: "Container", max: { memory: "1Gi" } },
    { memory: "1Mi" },
    {},
    /maximum memory usage per Container is 1Gi. {2}No limit is specified$/,
  ],
  [
    "a limit above the maximum",
    { type: "Container", max: { cpu: "1" } },
    { cpu: "500m" },
    { cpu: "2" },
    /maximum cpu usage per Container is 1, but limit is 2$/,
  ],
  [
    "a limit too far above the request",
    { type: "Container", maxLimitRequestRatio: { cpu: "2" } },
    { cpu: "500m" },
    { cpu: "1500m" },
    /cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000$/,
  ],
  [
    "a pod above the maximum of pods",
    { type: "Pod", max: { cpu: "1" } },
    { cpu: "2" },
    { cpu: "2" },
    /maximum cpu usage per Pod is 1, but limit is 2$/,
  ],
  [
    "several at once are told together",
    { type: "Container", min: { cpu: "50m", memory: "10Mi" } },
    { cpu: "10m", memory: "1Mi" },
    {},
    /is forbidden: \[minimum cpu usage per Container is 50m, but request is 10m, minimum memory usage per Container is 10Mi, but request is 1Mi\]$/,
  ],
];
for (const [what, item, requests, limits, message] of refusals)
  test(`refused: ${what}`, async () => {
    await refused(limited(item)({ object: asking(requests, limits) }), 403, message);
  });

test("the limits of pods count all their containers, without the overhead", () => {
  const range: object = {
    metadata: { name: "limits" },
    spec: { limits: [{ type: "Pod", max: { cpu: "1" } }] },
  };
  const half = { requests: { cpu: "500m" }, limits: { cpu: "500m" } };
  const broken = (count: number) => {
    const containers = Array.from({ length: count }, (_, i) => ({
      name: `c${i}`,
      image: "i",
      resources: half,
    }));
    return violationsOfPod(
      pod({ containers, overhead: { cpu: "1" } }) as corev1.Pod,
      range as corev1.LimitRange,
    );
  };
  assert.deepEqual(broken(2), []);
  assert.deepEqual(broken(3), ["maximum cpu usage per Pod is 1, but limit is 1500m"]);
});

test("a change of a pod is not held against limits that came later; a resize is", async () => {
  const admit = limited({ type: "Container", min: { cpu: "50m" } });
  const old = asking({ cpu: "10m" });
  await admit({ operation: "UPDATE", old, object: asking({ cpu: "10m" }) });
  await refused(
    admit({ operation: "UPDATE", subresource: "resize", old, object: asking({ cpu: "20m" }) }),
    403,
    /but request is 20m/,
  );
});

test("a claim keeps to the limits of claims", async () => {
  const admit = limited({ type: "PersistentVolumeClaim", min: { storage: "1Gi" }, max: { storage: "5Gi" } });
  const claim = (storage: string) =>
    admit({
      ...resource("persistentvolumeclaims"),
      object: {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: { name: "data" },
        spec: { resources: { requests: { storage } } },
      },
    });
  await claim("2Gi");
  await refused(
    claim("512Mi"),
    403,
    /minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 512Mi/,
  );
  await refused(
    claim("6Gi"),
    403,
    /maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 6Gi/,
  );
});
