import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  busyboxPod,
  eventually,
  type KubectlVersion,
  kubectlOf,
  kubectlPackages,
  run,
  TestCluster,
} from "./support/cluster.ts";

const versions = Object.keys(kubectlPackages) as KubectlVersion[];

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start();
  await cluster.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "debugged" },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: "web",
          image: "nginx",
          readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1 },
        },
        {
          name: "box",
          image: "busybox",
          command: ["sh", "-c", "for i in 1 2 3 4 5; do echo line $i; done; echo oops >&2; exec sleep 3600"],
        },
        { name: "cat", image: "busybox", command: ["cat"], stdin: true },
      ],
    },
  });
  await cluster.wait("pod/debugged", "condition=Ready");
});
after(() => cluster?.purge());

for (const version of versions) {
  test(`kubectl ${version}: exec gives output, standard input and the exit code`, async () => {
    const exec = (command: string[], options: { input?: string } = {}) =>
      cluster.try(
        ["exec", ...(options.input === undefined ? [] : ["-i"]), "debugged", "-c", "box", "--", ...command],
        {
          version,
          ...options,
        },
      );
    const both = await exec(["sh", "-c", "echo out; echo err >&2; exit 42"]);
    assert.deepEqual([both.stdout, both.exitCode], ["out\n", 42]);
    // Before 1.34 kubectl may say first that it dropped the server's empty message (kubernetes/kubernetes#131203).
    assert.match(both.stderr, /^err$/m);
    assert.match(both.stderr, /command terminated with exit code 42/);
    assert.equal((await exec(["wc", "-c"], { input: "x".repeat(300_000) })).stdout.trim(), "300000");
    assert.equal((await exec(["nosuch"])).exitCode, version === "1.20" ? 127 : 127);
  });

  test(`kubectl ${version}: exec -it has a real terminal`, async () => {
    const command = `stty rows 33 cols 99; KUBECONFIG=${cluster.kubeconfig} ${kubectlOf(version)} exec -it debugged -c box -- sh -c 'tty; i=0; until test "$(stty size 2>/dev/null)" = "33 99" || test $i -gt 300; do i=$((i+1)); sleep 0.1; done; stty size; exit 3'`;
    const { stdout, exitCode } = await run("script", ["-qefc", command, "/dev/null"]);
    assert.match(stdout, /\/dev\/pts\/\d+/);
    assert.match(stdout, /33 99/);
    assert.equal(exitCode, 3);
  });

  test(`kubectl ${version}: port-forward reaches a port of the pod`, async () => {
    const child = cluster.spawn(["port-forward", "pod/debugged", "0:80"], version);
    try {
      const port = await new Promise<number>((resolve, reject) => {
        let text = "";
        child.stdout.on("data", (chunk) => {
          text += chunk;
          const match = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(text);
          if (match) resolve(Number(match[1]));
        });
        child.stderr.on("data", (chunk) => (text += chunk));
        child.on("exit", () => reject(new Error(text)));
      });
      const replies = await Promise.all(
        [1, 2, 3].map(() => fetch(`http://127.0.0.1:${port}/`).then((r) => r.text())),
      );
      for (const reply of replies) assert.match(reply, /Welcome to nginx!/);
    } finally {
      child.kill("SIGKILL");
    }
  });
}

test("logs: whole, of one stream of time, with timestamps, of all containers", async () => {
  const logs = (...args: string[]) => cluster.kubectl(["logs", "debugged", ...args]);
  assert.equal(await logs("-c", "box"), "line 1\nline 2\nline 3\nline 4\nline 5\noops\n");
  assert.equal(await logs("-c", "box", "--tail=2"), "line 5\noops\n");
  assert.match(
    await logs("-c", "box", "--timestamps", "--tail=1"),
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d) oops\n$/,
  );
  assert.equal(await logs("-c", "box", "--since-time=2100-01-01T00:00:00Z"), "");
  assert.equal((await logs("-c", "box", "--since=1h")).split("\n").length, 7);
  assert.equal(await logs("-c", "box", "--limit-bytes=6"), "line 1");
  assert.match(await logs("--all-containers", "--prefix"), /\[pod\/debugged\/box\] line 1/);
  const none = await cluster.try(["logs", "debugged", "-c", "nosuch"]);
  assert.match(none.stderr, /container nosuch is not valid for pod debugged/);
});

test("logs -f follows until the container ends; -p shows the one before", async () => {
  await cluster.apply(
    busyboxPod("talks", "echo begin; while ! test -e /tmp/stop; do sleep 0.1; done; echo end; exit 1"),
  );
  await cluster.wait("pod/talks", "condition=Ready");
  const child = cluster.spawn(["logs", "-f", "talks"]);
  let text = "";
  child.stdout.on("data", (chunk) => (text += chunk));
  const ended = new Promise((resolve) => child.on("close", resolve));
  try {
    await eventually("the first line", async () => text.includes("begin"));
    await cluster.kubectl(["exec", "talks", "--", "touch", "/tmp/stop"]);
    await ended;
  } finally {
    child.kill("SIGKILL");
  }
  assert.equal(text, "begin\nend\n");
  await cluster.wait("pod/talks", "jsonpath={.status.containerStatuses[0].restartCount}=1");
  assert.equal(await cluster.kubectl(["logs", "-p", "talks"]), "begin\nend\n");
});

test("attach joins a running container's streams", async () => {
  const child = cluster.spawn(["attach", "-i", "debugged", "-c", "cat"]);
  let text = "";
  child.stdout.on("data", (chunk) => (text += chunk));
  try {
    child.stdin.write("hello\n");
    await eventually("the echo", async () => text.includes("hello"));
  } finally {
    child.kill("SIGKILL");
  }
});

test("cp copies files and folders both ways", async () => {
  const dir = mkdtempSync(join(tmpdir(), "peapod-cp-"));
  try {
    writeFileSync(join(dir, "file"), "content\n".repeat(100_000));
    await cluster.kubectl(["cp", join(dir, "file"), "debugged:/tmp/file", "-c", "box"]);
    await cluster.kubectl(["cp", "debugged:/tmp/file", join(dir, "back"), "-c", "box"]);
    assert.ok(readFileSync(join(dir, "back")).equals(readFileSync(join(dir, "file"))));
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("describe, events and top-level output formats say what a person looks for", async () => {
  const described = await cluster.kubectl(["describe", "pod", "debugged"]);
  for (const part of [
    /Status: +Running/,
    /Container ID: +\S+:\/\//,
    /Ready +True/,
    /Scheduled .*Successfully assigned default\/debugged to/,
    /Started .*Container started|Started .*Started container/,
  ]) {
    assert.match(described, part);
  }
  const columns = await cluster.kubectl([
    "get",
    "pod",
    "debugged",
    "-o",
    "custom-columns=N:.metadata.name,P:.status.phase",
  ]);
  assert.match(columns, /debugged +Running/);
  assert.match(await cluster.kubectl(["get", "pod", "debugged", "-o", "yaml"]), /^kind: Pod$/m);
});

test("a pod's port is refused when nothing listens, and port-forward says so", async () => {
  const child = cluster.spawn(["port-forward", "pod/debugged", "0:81"]);
  let text = "";
  child.stdout.on("data", (chunk) => (text += chunk));
  child.stderr.on("data", (chunk) => (text += chunk));
  try {
    const port = await eventually(
      "listening",
      async () => Number(/127\.0\.0\.1:(\d+)/.exec(text)?.[1]) || undefined,
    );
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write("GET / HTTP/1.0\r\n\r\n");
    await eventually("the refusal", async () =>
      /error forwarding port 81 to pod|lost connection to pod/.test(text),
    );
    socket.destroy();
  } finally {
    child.kill("SIGKILL");
  }
});
