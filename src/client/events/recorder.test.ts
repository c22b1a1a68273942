import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { SeededRandom, SteppedClock, silentLog } from "../../base/index.ts";
import { forbidden, serviceUnavailable } from "../../machinery/index.ts";
import { createClient } from "../client.ts";
import { events } from "../resources.ts";
import { FakeApi } from "../testing/fake-api.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { createEventRecorder, queuedMax } from "./recorder.ts";

const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "shop", uid: "u1", resourceVersion: "42" },
};

describe("the event recorder", () => {
  let api: FakeApi;
  let clock: SteppedClock;
  let recorder: EventRecorder;
  beforeEach(() => {
    api = new FakeApi();
    clock = new SteppedClock();
    recorder = createEventRecorder({
      client: createClient(api),
      component: "kubelet",
      host: "node-1",
      clock,
      log: silentLog,
      random: new SeededRandom(7),
    });
  });
  const written = () => api.objects(events) as unknown as corev1.Event[];

  test("names events in the order in which they happened, also within a millisecond", async () => {
    const atMs = clock.now();
    for (let i = 0; i < 20; i++) recorder.event(pod, "Normal", `Step${i}`, `step ${i}`);
    await clock.step(100);
    recorder.event(pod, "Normal", "Before", "told late", "Binding", atMs - 1);
    await recorder.flush();
    const names = written().map((event) => event.metadata.name!);
    const told = names.filter((_, i) => written()[i]!.reason !== "Before");
    assert.deepEqual([...told].sort(), told);
    assert.equal([...names].sort()[0], written().find((event) => event.reason === "Before")!.metadata.name);
  });

  test("writes an event beside the object it is about", async () => {
    recorder.event(pod, "Normal", "Pulled", 'Successfully pulled image "nginx"');
    await recorder.flush();
    const [event] = written();
    assert.match(event!.metadata.name!, /^web\.[0-9a-f]{16}$/);
    assert.equal(event!.metadata.namespace, "shop");
    assert.deepEqual(event!.involvedObject, {
      kind: "Pod",
      namespace: "shop",
      name: "web",
      uid: "u1",
      apiVersion: "v1",
      resourceVersion: "42",
    });
    assert.deepEqual(event!.source, { component: "kubelet", host: "node-1" });
    assert.equal(event!.firstTimestamp, "2026-01-01T00:00:00Z");
    assert.equal(event!.count, 1);
    assert.equal(event!.reportingComponent, "kubelet");
  });

  test("takes a reference with a field path, and puts what has no namespace into default", async () => {
    recorder.event(
      { apiVersion: "v1", kind: "Pod", namespace: "shop", name: "web", fieldPath: "spec.containers{nginx}" },
      "Normal",
      "Started",
      "Started container nginx",
    );
    recorder.event(
      { apiVersion: "v1", kind: "Node", name: "node-1" },
      "Normal",
      "NodeReady",
      "Node is ready",
    );
    await recorder.flush();
    assert.equal(written()[0]!.involvedObject.fieldPath, "spec.containers{nginx}");
    assert.equal(written()[1]!.metadata.namespace, "default");
  });

  test("counts the same event instead of writing it again", async () => {
    for (let i = 0; i < 3; i++) {
      recorder.event(pod, "Warning", "BackOff", "Back-off restarting failed container");
      await recorder.flush();
      await clock.step(10_000);
    }
    assert.equal(written().length, 1);
    assert.equal(written()[0]!.count, 3);
    assert.equal(written()[0]!.firstTimestamp, "2026-01-01T00:00:00Z");
    assert.equal(written()[0]!.lastTimestamp, "2026-01-01T00:00:20Z");
  });

  test("begins anew when the event that was counted is gone", async () => {
    recorder.event(pod, "Warning", "BackOff", "again");
    await recorder.flush();
    api.delete(events, "shop", written()[0]!.metadata.name!);
    recorder.event(pod, "Warning", "BackOff", "again");
    await recorder.flush();
    assert.equal(written().length, 1);
    assert.equal(written()[0]!.count, 2);
  });

  test("combines events that differ only by their message from the tenth on", async () => {
    for (let i = 1; i <= 15; i++) recorder.event(pod, "Warning", "Failed", `attempt ${i}`);
    await recorder.flush();
    assert.equal(written().length, 10);
    const combined = written().at(-1)!;
    assert.equal(combined.message, "(combined from similar events): attempt 15");
    assert.equal(combined.count, 6);
  });

  test("lets 25 events about an object through at once, then one in five minutes", async () => {
    const warn = (n: number) => recorder.event(pod, "Warning", `Reason${n}`, "message");
    for (let n = 0; n < 40; n++) warn(n);
    await recorder.flush();
    assert.equal(written().length, 25);
    await clock.step(300_000);
    for (let n = 40; n < 45; n++) warn(n);
    await recorder.flush();
    assert.equal(written().length, 26);
    recorder.event({ ...pod, metadata: { ...pod.metadata, uid: "u2" } }, "Warning", "Other", "message");
    await recorder.flush();
    assert.equal(written().length, 27, "another object has its own allowance");
  });

  test("tries again while the server cannot be reached, and gives up what it refuses", async () => {
    api.failures.push(serviceUnavailable("down"), serviceUnavailable("down"));
    recorder.event(pod, "Normal", "First", "message");
    await clock.step(30_000);
    await recorder.flush();
    assert.equal(written().length, 1);
    api.failures.push(forbidden(events, "x", "no"));
    recorder.event(pod, "Normal", "Second", "message");
    recorder.event(pod, "Normal", "Third", "message");
    await recorder.flush();
    assert.deepEqual(
      written().map((event) => event.reason),
      ["First", "Third"],
    );
  });

  test("drops what comes while its queue is full", async () => {
    for (let i = 0; i < queuedMax + 500; i++) {
      const metadata = { ...pod.metadata, name: `web-${i}`, uid: `u${i}` };
      recorder.event({ ...pod, metadata }, "Normal", "Created", "message");
    }
    await recorder.flush();
    assert.ok(written().length <= queuedMax + 1);
  });
});
