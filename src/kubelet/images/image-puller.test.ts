import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { SystemClock } from "../../base/index.ts";
import type { Image, Runtime } from "../../runtime/index.ts";
import { ImagePuller } from "./image-puller.ts";

test("a pod whose image is pulled at each of many restarts keeps nothing of the pulls", async () => {
  const runtime = { images: { pull: async () => ({ sizeBytes: 1 }) as Image } } as unknown as Runtime;
  const puller = new ImagePuller({
    ...{ runtime, clock: new SystemClock(), events: { event() {}, annotatedEvent() {} }, parallelMax: 1 },
    credentials: async () => [],
  });
  const container: corev1.Container = { name: "main", image: "busybox", imagePullPolicy: "Always" };
  const pod = { metadata: { name: "restarts", uid: "u1" }, spec: { containers: [container] } } as corev1.Pod;
  const { signal } = new AbortController();
  for (let restart = 0; restart < 20; restart++) await puller.ensure(pod, container, signal);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});
