import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
import { SteppedClock } from "../base/index.ts";
import { RuntimeError } from "../runtime/index.ts";
import { startNode } from "./testing/node.ts";

const mounts = [{ name: "data", mountPath: "/data" }];
const volumeOf = (
  reference: string,
  pullPolicy: corev1.ImageVolumeSource["pullPolicy"] = "IfNotPresent",
): corev1.Volume[] => [{ name: "data", image: { reference, pullPolicy } }];
const waitingOf = (pod: corev1.Pod) => pod.status?.containerStatuses?.[0]?.state?.waiting;
const isRunning = (pod: corev1.Pod) => pod.status?.containerStatuses?.[0]?.state?.running !== undefined;

test("an image volume is pulled by its own policy and mounted read-only, a part of it where one is named", async () => {
  await using node = await startNode();
  node.bind({
    name: "p",
    volumes: volumeOf("registry.test/data:v1", "Always"),
    containers: [
      {
        name: "c",
        image: "i",
        env: [{ name: "PART", value: "etc" }],
        volumeMounts: [...mounts, { name: "data", mountPath: "/part", subPathExpr: "$(PART)/conf" }],
      },
    ],
  });
  await node.until("p", isRunning);
  const { id } = (await node.runtime.images.status("registry.test/data:v1"))!;
  const made = node.runtime.configOf(node.runtime.find("c")!.id).mounts;
  assert.deepEqual(
    made
      .filter(({ imageId }) => imageId)
      .map(({ containerPath, readOnly, imageId, imageSubPath }) => ({
        ...{ containerPath, readOnly, imageId, imageSubPath },
      })),
    [
      { containerPath: "/data", readOnly: true, imageId: id, imageSubPath: undefined },
      { containerPath: "/part", readOnly: true, imageId: id, imageSubPath: "etc/conf" },
    ],
  );
  const pulled = node.seen.find(({ message }) => message.startsWith('Successfully pulled image "registry'));
  assert.equal(pulled?.fieldPath, undefined);
  // Present now; Always asks the registry again all the same.
  node.bind({
    name: "again",
    volumes: volumeOf("registry.test/data:v1", "Always"),
    containers: [{ name: "c2", image: "i", volumeMounts: mounts }],
  });
  await node.until("again", isRunning);
  assert.equal(node.runtime.images.pulls.filter((name) => name === "registry.test/data:v1").length, 2);
});

test("an image volume that cannot be pulled is its container's waiting reason; others of the pod run", async () => {
  const clock = new SteppedClock();
  await using node = await startNode({ clock });
  const error = new RuntimeError("ErrImagePull", "registry.test/none:v1: not found");
  node.runtime.images.failPull("registry.test/none:v1", error);
  node.bind({
    name: "p",
    volumes: volumeOf("registry.test/none:v1"),
    containers: [
      { name: "mounts", image: "i", volumeMounts: mounts },
      { name: "mounts-not", image: "i" },
    ],
  });
  const of = (pod: corev1.Pod, name: string) =>
    pod.status?.containerStatuses?.find((status) => status.name === name)?.state;
  const failed = await node.until("p", (pod) => of(pod, "mounts")?.waiting?.reason === "ErrImagePull");
  assert.match(of(failed, "mounts")!.waiting!.message!, /registry.test\/none:v1: not found/);
  await node.until("p", (pod) => of(pod, "mounts-not")?.running !== undefined);
  const told = node.seen.find(({ message }) => message === "Error: ErrImagePull");
  assert.equal(told?.fieldPath, "spec.containers{mounts}");
  await clock.step(2_500);
  const backoff = await node.until("p", (pod) => of(pod, "mounts")?.waiting?.reason === "ImagePullBackOff");
  assert.match(of(backoff, "mounts")!.waiting!.message!, /^Back-off pulling image "registry.test\/none:v1"/);
  node.runtime.images.failPull("registry.test/none:v1", undefined);
  await clock.step(10_000);
  await node.until("p", (pod) => of(pod, "mounts")?.running !== undefined);
});

test("an image volume that must not be pulled and is not here, or has no valid name, says so", async () => {
  await using node = await startNode();
  node.bind({
    name: "never",
    volumes: volumeOf("registry.test/data:v1", "Never"),
    containers: [{ name: "c", image: "i", volumeMounts: mounts }],
  });
  node.bind({
    name: "invalid",
    volumes: volumeOf("Not A Name"),
    containers: [{ name: "c", image: "i", volumeMounts: mounts }],
  });
  await node.until("never", (pod) => waitingOf(pod)?.reason === "ErrImageNeverPull");
  await node.until("invalid", (pod) => waitingOf(pod)?.reason === "InvalidImageName");
});

test("an image volume that no container mounts is pulled, and holds nothing up", async () => {
  await using node = await startNode();
  node.runtime.images.failPull("registry.test/none:v1", new RuntimeError("ErrImagePull", "not found"));
  node.bind({
    name: "p",
    volumes: [
      ...volumeOf("registry.test/none:v1"),
      { name: "more", image: { reference: "registry.test/data:v1", pullPolicy: "IfNotPresent" } },
    ],
    containers: [
      { name: "c", image: "i" },
      { name: "d", image: "i" },
    ],
  });
  await node.until(
    "p",
    ({ status }) => status?.containerStatuses?.every(({ state }) => state?.running) === true,
  );
  const told = await node.eventually("both are told of", () => {
    const events = node.seen.filter(({ message }) => message.includes("registry.test/"));
    return events.length === 4 ? events : undefined;
  });
  assert.deepEqual(told.map(({ reason, fieldPath }) => [reason, fieldPath]).sort(), [
    ["Failed", undefined],
    ["Pulled", undefined],
    ["Pulling", undefined],
    ["Pulling", undefined],
  ]);
  const pulls = node.runtime.images.pulls.filter((name) => name.startsWith("registry.test/"));
  assert.deepEqual(pulls.sort(), ["registry.test/data:v1", "registry.test/none:v1"]);
});
