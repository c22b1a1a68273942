import assert from "node:assert/strict";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SystemClock, SystemRandom, silentLog } from "../../../base/index.ts";
import { SimulatedRuntime } from "../../simulated/index.ts";
import { CriConnection } from "../client/connection.ts";
import { statusCode } from "../errors.ts";
import { serveCri } from "../index.ts";

const [clock, random, log] = [new SystemClock(), new SystemRandom(), silentLog];
const runtime = new SimulatedRuntime({ clock, random });
let dir: string;
let server: Awaited<ReturnType<typeof serveCri>>;
let connection: CriConnection;

const serve = () =>
  serveCri({ runtime, clock, random, log, socketPath: join(dir, "cri.sock"), imagesDir: "/images" });

before(async () => {
  dir = await mkdtemp(join(tmpdir(), "peapod-cri-"));
  server = await serve();
  connection = new CriConnection(server.endpoint, clock);
});
after(async () => {
  connection?.close();
  await server?.close();
  await rm(dir, { recursive: true });
});

const sandboxConfig = {
  metadata: { name: "pod", namespace: "default", uid: "u1" },
  logDirectory: "/nowhere",
};

async function runContainer(): Promise<{ podSandboxId: string; containerId: string }> {
  const { podSandboxId } = await connection.runtime("RunPodSandbox", { config: sandboxConfig });
  await connection.images("PullImage", { image: { image: "busybox" } });
  const { containerId } = await connection.runtime("CreateContainer", {
    podSandboxId,
    config: { metadata: { name: "main" }, image: { image: "busybox" }, labels: { app: "web" } },
    sandboxConfig,
  });
  return { podSandboxId, containerId };
}

test("the socket is root's alone, and one that answers is not taken over", async () => {
  assert.equal((await stat(join(dir, "cri.sock"))).mode & 0o777, 0o600);
  await assert.rejects(serve(), /is served by another process/);
});

test("crictl's way of life: little is given, ids are shortened, lists are filtered", async () => {
  const { podSandboxId, containerId } = await runContainer();
  const short = containerId.slice(0, 13);
  await connection.runtime("StartContainer", { containerId: short });
  const { status } = await connection.runtime("ContainerStatus", { containerId: short, verbose: true });
  assert.equal(status?.id, containerId);
  assert.equal(status.state, "CONTAINER_RUNNING");
  const listed = async (filter: object) =>
    (await connection.runtime("ListContainers", { filter })).containers.map(({ id }) => id);
  assert.deepEqual(await listed({ podSandboxId: podSandboxId.slice(0, 13) }), [containerId]);
  assert.deepEqual(await listed({ state: { state: "CONTAINER_EXITED" } }), []);
  assert.deepEqual(await listed({ labelSelector: { app: "web" } }), [containerId]);
  assert.deepEqual(await listed({ labelSelector: { app: "db" } }), []);
  const { stats } = await connection.runtime("ListContainerStats", {});
  assert.deepEqual(
    stats.map(({ attributes }) => attributes?.id),
    [containerId],
  );
  await connection.runtime("RemovePodSandbox", { podSandboxId });
  assert.deepEqual(await listed({}), []);
});

test("events tell a container's whole life, with the state of its pod", async () => {
  const ended = new AbortController();
  const events = connection.watch("GetContainerEvents", {}, ended.signal)[Symbol.asyncIterator]();
  const next = async () => (await events.next()).value;
  const first = next();
  // The subscription is there once the server has answered another call of the same connection.
  await connection.runtime("Version", {});
  const { podSandboxId, containerId } = await runContainer();
  assert.equal((await first)?.containerEventType, "CONTAINER_CREATED_EVENT");
  await connection.runtime("StartContainer", { containerId });
  const started = await next();
  assert.equal(started?.containerEventType, "CONTAINER_STARTED_EVENT");
  assert.equal(started.podSandboxStatus?.id, podSandboxId);
  assert.equal(started.containersStatuses[0]?.state, "CONTAINER_RUNNING");
  await connection.runtime("StopContainer", { containerId, timeout: 1 });
  assert.equal((await next())?.containerEventType, "CONTAINER_STOPPED_EVENT");
  await connection.runtime("RemoveContainer", { containerId });
  assert.equal((await next())?.containerEventType, "CONTAINER_DELETED_EVENT");
  ended.abort();
  await connection.runtime("RemovePodSandbox", { podSandboxId });
});

test("what cannot be done is refused with gRPC's codes", async () => {
  const refused = (call: Promise<unknown>, code: number) => assert.rejects(call, { code });
  await refused(connection.runtime("ContainerStatus", { containerId: "0".repeat(64) }), statusCode.notFound);
  await refused(connection.runtime("CheckpointContainer", {}), statusCode.unimplemented);
  await refused(connection.runtime("RunPodSandbox", { config: {} }), statusCode.invalidArgument);
  await refused(
    connection.runtime("RunPodSandbox", { config: sandboxConfig, runtimeHandler: "none" }),
    statusCode.invalidArgument,
  );
  const config = { ...sandboxConfig, linux: { cgroupParent: "/../../escape" } };
  await refused(connection.runtime("RunPodSandbox", { config }), statusCode.invalidArgument);
  assert.equal((await connection.images("ImageStatus", { image: { image: "none" } })).image, null);
});

test("a streaming URL without its secret leads nowhere", async () => {
  const { podSandboxId, containerId } = await runContainer();
  await connection.runtime("StartContainer", { containerId });
  const { url } = await connection.runtime("Exec", { containerId, cmd: ["true"], stdout: true });
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/exec\/[0-9a-f-]{36}$/);
  const answer = await new Promise<number | undefined>((resolve, reject) => {
    const wrong = url.replace(/[^/]*$/, "guess");
    request(wrong, { method: "POST", headers: { connection: "Upgrade", upgrade: "SPDY/3.1" } })
      .on("response", (response) => resolve(response.resume().statusCode))
      .on("error", reject)
      .end();
  });
  assert.equal(answer, 404);
  await connection.runtime("RemovePodSandbox", { podSandboxId });
});
