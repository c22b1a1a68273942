import assert from "node:assert/strict";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { WebSocket } from "ws";
import { parse } from "yaml";
import { busyboxPod, eventually, TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start();
  const says = "echo container is alive; exec sleep 3600";
  const box = (name: string, script: string, more: object = {}) => ({
    name,
    image: "busybox",
    command: ["sh", "-c", script],
    ...more,
  });
  await Promise.all([
    cluster.apply(
      busyboxPod("box", says, {
        containers: [
          box("main", says),
          box(
            "lo",
            "mkdir /www; echo from loopback >/www/index.html; exec httpd -f -p 127.0.0.1:8080 -h /www",
            {
              readinessProbe: {
                exec: { command: ["wget", "-qO", "/dev/null", "127.0.0.1:8080"] },
                periodSeconds: 1,
              },
            },
          ),
        ],
      }),
    ),
    cluster.apply(
      busyboxPod("many", "exit 0", {
        restartPolicy: "Never",
        initContainers: [
          box("init", "echo in init; read line; echo init got $line", { stdin: true, stdinOnce: true }),
        ],
        containers: [box("one", "echo in one"), box("two", "echo in two; exit 3")],
      }),
    ),
  ]);
  await cluster.wait("pod/box", "condition=Ready");
  await eventually(
    "it has spoken",
    async () => (await cluster.kubectl(["logs", "box", "-c", "main"])) === "container is alive\n",
  );
});
after(() => cluster?.purge());

/** A WebSocket to a path of the API server, as the administrator. */
function open(path: string, protocol: string): WebSocket {
  const config = parse(readFileSync(cluster.kubeconfig, "utf8"));
  const decode = (text: string) => Buffer.from(text, "base64");
  const { server, "certificate-authority-data": ca } = config.clusters[0].cluster;
  const { "client-certificate-data": cert, "client-key-data": key } = config.users[0].user;
  const options = { ca: decode(ca), cert: decode(cert), key: decode(key) };
  return new WebSocket(`${server.replace(/^http/, "ws")}${path}`, protocol, options);
}

/** What it says from now on. */
function collected(socket: WebSocket): Buffer[] {
  const said: Buffer[] = [];
  socket.on("message", (data: Buffer) => said.push(data));
  return said;
}

/** All that it says until it closes. */
async function messages(socket: WebSocket): Promise<Buffer[]> {
  const said = collected(socket);
  await once(socket, "close");
  return said;
}

const pods = "/api/v1/namespaces/default/pods";

test("logs come over a WebSocket, as they are or in base64", async () => {
  const path = `${pods}/box/log?container=main`;
  const plain = await messages(open(path, "binary.k8s.io"));
  assert.equal(Buffer.concat(plain).toString(), "container is alive\n");
  const encoded = await messages(open(path, "base64.binary.k8s.io"));
  assert.equal(
    encoded.map((part) => Buffer.from(part.toString(), "base64")).join(""),
    "container is alive\n",
  );
  const refused = open(`${pods}/box/log?container=nosuch`, "binary.k8s.io");
  const [error] = await once(refused, "error");
  assert.match(error.message, /400/);
});

test("following a log over a WebSocket ends for the server when its client goes", async () => {
  const socket = open(`${pods}/box/log?container=main&follow=true`, "binary.k8s.io");
  const said = collected(socket);
  await eventually("the line", async () => Buffer.concat(said).toString() === "container is alive\n");
  socket.close();
  await once(socket, "close");
});

test("a command runs over a WebSocket of the oldest protocol", async () => {
  const command = ["sh", "-c", "echo remote execution test; echo err >&2"]
    .map((word) => `command=${encodeURIComponent(word)}`)
    .join("&");
  const said = await messages(
    open(`${pods}/box/exec?container=main&stdout=1&stderr=1&${command}`, "channel.k8s.io"),
  );
  const on = (channel: number) =>
    Buffer.concat(said.filter((m) => m[0] === channel).map((m) => m.subarray(1))).toString();
  assert.equal(on(1), "remote execution test\n");
  assert.equal(on(2), "err\n");
});

test("a port that listens on the pod's loopback alone is reached, over channels and by kubectl on any address", async () => {
  const socket = open(`${pods}/box/portforward?ports=8080`, "v4.channel.k8s.io");
  const said = collected(socket);
  await once(socket, "open");
  socket.send(Buffer.concat([Buffer.from([0]), Buffer.from("GET / HTTP/1.0\r\n\r\n")]));
  await eventually("the answer", async () => Buffer.concat(said).includes("from loopback"));
  assert.deepEqual([...said[0]!], [0, 8080 & 0xff, 8080 >> 8]);
  socket.terminate();
  const child = cluster.spawn(["port-forward", "--address", "127.0.0.1,localhost", "pod/box", ":8080"]);
  try {
    let text = "";
    child.stdout.on("data", (piece) => (text += piece));
    const port = await eventually(
      "the port",
      async () => Number(/127\.0\.0\.1:(\d+)/.exec(text)?.[1]) || undefined,
    );
    // A client that leaves in the middle of its request takes nobody along.
    const rude = connect(port, "127.0.0.1");
    rude.write("GET / HT");
    await once(rude, "ready");
    rude.resetAndDestroy();
    const answer = await (await fetch(`http://127.0.0.1:${port}/`)).text();
    assert.equal(answer, "from loopback\n");
  } finally {
    child.kill("SIGKILL");
  }
});

test("attach reaches an init container, with input, and logs are there of each container, running and ended", async () => {
  await eventually("the init container runs", async () => {
    const { status } = await cluster.get("pod", "many");
    return status.initContainerStatuses?.[0]?.state?.running;
  });
  await eventually(
    "its words",
    async () => (await cluster.kubectl(["logs", "many", "-c", "init"])) === "in init\n",
  );
  const attached = await cluster.try(["attach", "-i", "many", "-c", "init"], { input: "hello\n" });
  assert.match(attached.stdout, /init got hello/);
  await cluster.wait("pod/many", "jsonpath={.status.phase}=Failed");
  const logs = (...args: string[]) => cluster.kubectl(["logs", "many", ...args]);
  assert.equal(await logs("-c", "init"), "in init\ninit got hello\n");
  // kubectl takes the containers in no certain order (it ranges over a map), each whole.
  const lines = (await logs("--all-containers", "--prefix")).trimEnd().split("\n");
  assert.deepEqual([...lines].sort(), [
    "[pod/many/init] in init",
    "[pod/many/init] init got hello",
    "[pod/many/one] in one",
    "[pod/many/two] in two",
  ]);
  assert.equal(lines.indexOf("[pod/many/init] init got hello"), lines.indexOf("[pod/many/init] in init") + 1);
  assert.equal(await logs("-c", "one", "--since=24h"), "in one\n");
  assert.equal(await logs("-c", "one", "--limit-bytes=1"), "i");
  assert.equal(await logs("-c", "two", "--tail=1"), "in two\n");
  await cluster.kubectl(["delete", "pod", "many"]);
  assert.match((await cluster.try(["logs", "many", "-c", "one"])).stderr, /pods "many" not found/);
});

test("attach says nothing of how a container ended; kubectl run asks the pod", async () => {
  const script = "read word; echo got $word; exit 42";
  const ended = await cluster.try(
    ["run", "ends", "-i", "-q", "--image=busybox", "--restart=Never", "--", "sh", "-c", script],
    { input: "it\n" },
  );
  assert.deepEqual([ended.stdout, ended.exitCode], ["got it\n", 42]);
  assert.doesNotMatch(ended.stderr, /couldn't attach/);
});

test("attach ends with its client's input where the container's own stays open, and the container goes on", async () => {
  const attached = await cluster.try(
    ["run", "goes-on", "-i", "--leave-stdin-open", "--image=busybox", "--", "sh", "-c", "cat; echo closed"],
    { input: "abcd1234\n" },
  );
  assert.equal(attached.exitCode, 0, attached.stderr);
  await eventually("the input", async () => (await cluster.kubectl(["logs", "goes-on"])) === "abcd1234\n");
  assert.equal((await cluster.get("pod", "goes-on")).status.containerStatuses[0].restartCount, 0);
  await cluster.kubectl(["delete", "pod", "goes-on", "--now"]);
});

test("attach and logs reach an ephemeral container", async () => {
  const debug = ["debug", "box", "--image=busybox", "--attach=false", "-i", "-c", "extra", "--"];
  await cluster.kubectl([...debug, "sh", "-c", "echo here; read line; echo got $line"]);
  await eventually("it runs", async () => {
    const { status } = await cluster.get("pod", "box");
    return status.ephemeralContainerStatuses?.[0]?.state?.running;
  });
  const child = cluster.spawn(["attach", "-i", "box", "-c", "extra"]);
  let text = "";
  child.stdout.on("data", (piece) => (text += piece));
  try {
    // Its input stays open: with it, attach would end before the answer.
    child.stdin.write("word\n");
    await eventually("the answer", async () => text.includes("got word\n"));
  } finally {
    child.kill("SIGKILL");
  }
  await eventually(
    "its log",
    async () => (await cluster.kubectl(["logs", "box", "-c", "extra"])) === "here\ngot word\n",
  );
});

test("what a client ran ends when the client vanishes", async () => {
  const runs = async () =>
    (await cluster.kubectl(["exec", "box", "-c", "main", "--", "ps"])).includes("sleep 4321");
  const child = cluster.spawn(["exec", "box", "-c", "main", "--", "sleep", "4321"]);
  try {
    await eventually("the process runs", runs);
  } finally {
    child.kill("SIGKILL");
  }
  await eventually("the process is gone", async () => !(await runs()));
});

test("a command that cannot be run ends with 126 or 127, one that is killed with 128 and its signal", async () => {
  const codeOf = async (...command: string[]) =>
    (await cluster.try(["exec", "box", "-c", "main", "--", ...command])).exitCode;
  assert.equal(await codeOf("nosuch"), 127);
  assert.equal(await codeOf("/etc/hosts"), 126);
  assert.equal(await codeOf("sh", "-c", "kill -TERM $$"), 143);
  assert.equal(await codeOf("sh", "-c", "exit 255"), 255);
});

test("an exec ends with its container", async () => {
  await cluster.apply(
    busyboxPod("short", "while ! test -e /stop; do sleep 0.1; done", { restartPolicy: "Never" }),
  );
  await cluster.wait("pod/short", "condition=Ready");
  const ended = cluster.try(["exec", "short", "--", "sh", "-c", "touch /stop; exec sleep 3600"]);
  assert.equal((await ended).exitCode, 137);
});

test("a client that stops reading holds its command back, and costs the server no memory", async () => {
  const pid = await cluster.pid();
  const residentKb = () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
  const sockets = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const query = "container=main&stdout=1&command=cat&command=/dev/zero";
      const socket = open(`${pods}/box/exec?${query}`, "v5.channel.k8s.io");
      await once(socket, "open");
      socket.pause();
      return socket;
    }),
  );
  const before = residentKb();
  await cluster.kubectl(["exec", "box", "-c", "main", "--", "sleep", "2"]);
  const grownKb = residentKb() - before;
  for (const socket of sockets) socket.terminate();
  assert.ok(grownKb < 64 * 1024, `${grownKb} kB`);
  await eventually("the commands are gone", async () => {
    const processes = await cluster.kubectl(["exec", "box", "-c", "main", "--", "ps"]);
    return !processes.includes("cat /dev/zero");
  });
});

test("many execs at once each have their own output", async () => {
  const all = Array.from({ length: 12 }, (_, i) =>
    cluster.kubectl(["exec", "box", "-c", "main", "--", "sh", "-c", `sleep 0.2; echo ${i}`]),
  );
  assert.deepEqual(
    await Promise.all(all),
    all.map((_, i) => `${i}\n`),
  );
});

test("cp carries trees with links both ways", async () => {
  const dir = mkdtempSync(join(tmpdir(), "peapod-cp-"));
  try {
    const tree = join(dir, "tree");
    mkdirSync(join(tree, "inner/empty"), { recursive: true });
    writeFileSync(join(tree, "file"), "content\n");
    writeFileSync(join(tree, "inner/big"), Buffer.alloc(3_000_000, "big\n"));
    symlinkSync("../file", join(tree, "inner/link"));
    await cluster.kubectl(["cp", tree, "box:/tmp/tree", "-c", "main"]);
    const inside = (command: string) =>
      cluster.kubectl(["exec", "box", "-c", "main", "--", "sh", "-c", command]);
    assert.equal(
      await inside("cat /tmp/tree/inner/link; readlink /tmp/tree/inner/link; ls /tmp/tree/inner"),
      "content\n../file\nbig\nempty\nlink\n",
    );
    await inside("cd /tmp/tree && ln -s file again && ln -s /etc/passwd outside");
    const back = join(dir, "back");
    const { stderr } = await cluster.try(["cp", "box:/tmp/tree", back, "-c", "main"]);
    assert.ok(readFileSync(join(back, "inner/big")).equals(readFileSync(join(tree, "inner/big"))));
    assert.equal(readFileSync(join(back, "file"), "utf8"), "content\n");
    // As every kubectl: links are not followed out of a pod, and it says so.
    assert.match(stderr, /skipping symlink/);
    assert.throws(() => readlinkSync(join(back, "outside")));
  } finally {
    rmSync(dir, { recursive: true });
  }
});
