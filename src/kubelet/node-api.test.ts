import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
import { SteppedClock } from "../base/index.ts";
import { StatusError } from "../machinery/index.ts";
import { RuntimeError } from "../runtime/index.ts";
import { startNode, type TestNode } from "./testing/node.ts";

const isReady = ({ status }: corev1.Pod) =>
  status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") === true;

const target = (node: TestNode, container = "c") => ({
  namespace: "default",
  name: "p",
  uid: node.pod("p")!.metadata.uid!,
  container,
});
const never = new AbortController().signal;
const refused = (code: number, message: string) => (error: unknown) =>
  error instanceof StatusError && error.code === code && error.message === message;

test("logs are read while a container runs, after it has ended, and of the attempt before", async () => {
  await using node = await startNode({ clock: new SteppedClock() });
  node.runtime.behaviours = ({ metadata }) => ({ output: `attempt ${metadata.attempt}\n` });
  node.bind({ name: "p", containers: [{ name: "c", image: "i" }] });
  await node.until("p", isReady);
  assert.equal(await text(await node.kubelet.containerLogs(target(node), {}, never)), "attempt 0\n");
  await assert.rejects(
    node.kubelet.containerLogs(target(node), { previous: true }, never),
    refused(400, 'previous terminated container "c" in pod "p" not found'),
  );
  node.runtime.exit(node.runtime.find("c")!.id, 1);
  await node.until("p", (pod) => isReady(pod) && pod.status!.containerStatuses![0]!.restartCount === 1);
  assert.equal(
    await text(await node.kubelet.containerLogs(target(node), { previous: true }, never)),
    "attempt 0\n",
  );
  node.runtime.exit(node.runtime.find("c")!.id, 1);
  await node.until(
    "p",
    (pod) => pod.status!.containerStatuses![0]!.state!.waiting?.reason === "CrashLoopBackOff",
  );
  assert.equal(await text(await node.kubelet.containerLogs(target(node), {}, never)), "attempt 1\n");
});

test("following a log ends with its container", async () => {
  await using node = await startNode({ clock: new SteppedClock() });
  node.bind({ name: "p", restartPolicy: "Never", containers: [{ name: "c", image: "i" }] });
  await node.until("p", isReady);
  const { id } = node.runtime.find("c")!;
  node.runtime.writeLog(id, "one\n");
  const stream = await node.kubelet.containerLogs(target(node), { follow: true }, never);
  const all = text(stream);
  node.runtime.writeLog(id, "two\n");
  node.runtime.exit(id, 0);
  assert.equal(await all, "one\ntwo\n");
});

test("what has no log yet is refused with upstream's words", async () => {
  await using node = await startNode({ clock: new SteppedClock() });
  node.runtime.images.failPull("nope", new RuntimeError("ErrImagePull", "no such image"));
  node.bind({ name: "p", containers: [{ name: "c", image: "nope" }] });
  await node.until(
    "p",
    (pod) => pod.status?.containerStatuses?.[0]?.state?.waiting?.reason === "ErrImagePull",
  );
  await assert.rejects(
    node.kubelet.containerLogs(target(node), {}, never),
    refused(400, `container "c" in pod "p" is waiting to start: image can't be pulled`),
  );
  await assert.rejects(
    node.kubelet.containerLogs(target(node, "other"), {}, never),
    refused(400, 'container "other" in pod "p" is not available'),
  );
});

test("exec runs in the container that runs now", async () => {
  await using node = await startNode({ clock: new SteppedClock() });
  node.runtime.behaviours = () => ({ exec: (command) => ({ exitCode: 7, stdout: command.join("+") }) });
  node.bind({ name: "p", containers: [{ name: "c", image: "i" }] });
  await node.until("p", isReady);
  const streams = { stdin: false, stdout: true, stderr: true, tty: false };
  const { exitCode } = await node.kubelet.exec(target(node), { ...streams, command: ["a", "b"] }, {}, never);
  assert.equal(exitCode, 7);
  await assert.rejects(
    node.kubelet.exec(target(node, "no"), { ...streams, command: ["a"] }, {}, never),
    refused(400, "container no is not valid for pod p"),
  );
});
