import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { busyboxPod, peapod, run, TestCluster } from "./support/cluster.ts";

let scratch: string;
before(() => {
  scratch = mkdtempSync(join(tmpdir(), "peapod-cli-"));
});
after(() => rmSync(scratch, { recursive: true, force: true }));

test("help names every command; a wrong one is a usage error with exit code 2", async () => {
  const help = await peapod(["--help"]);
  assert.equal(help.exitCode, 0);
  for (const command of ["up", "down", "status", "kubectl", "image", "doctor", "demo"]) {
    assert.match(help.stdout, new RegExp(`^  ${command} `, "m"));
  }
  for (const args of [["nosuch"], ["up", "--port", "70000"], ["up", "--nosuch"]]) {
    const wrong = await peapod(args);
    assert.equal(wrong.exitCode, 2, args.join(" "));
    assert.match(wrong.stderr, /error: /);
  }
});

test("status of a cluster that does not run says so with exit code 3", async () => {
  const { exitCode, stderr } = await peapod(["status", "--data-dir", join(scratch, "none")]);
  assert.equal(exitCode, 3);
  assert.match(stderr, /no cluster runs on .*\n.*peapod up --detach/);
});

test("without root there is a clear sentence and exit code 77, not a stack trace", async () => {
  const dir = join(scratch, "not-root");
  const { exitCode, stderr } = await run("setpriv", [
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    // The checkout may be root's alone to read.
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
    process.execPath,
    ...mainArgs(),
    "up",
    "--data-dir",
    dir,
  ]);
  assert.equal(exitCode, 77);
  assert.match(stderr, /only root may/);
  assert.doesNotMatch(stderr, /^\s+at /m);
});

test("a port in use is refused before anything is started", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const port = (server.address() as { port: number }).port;
  const dir = join(scratch, "port-in-use");
  try {
    const { exitCode, stderr } = await peapod(["up", "--detach", "--port", String(port), "--data-dir", dir]);
    assert.equal(exitCode, 1);
    assert.match(stderr, new RegExp(`port ${port} is already in use`));
    assert.ok(!existsSync(dir));
  } finally {
    server.close();
  }
});

test("the node's settings are kept with the cluster, and wrong ones are refused by the field's name", async () => {
  const file = join(scratch, "settings.yaml");
  const header = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";
  writeFileSync(file, `${header}maxpods: 7\n`);
  const dir = join(scratch, "settings");
  for (const args of [[], ["--detach"]]) {
    const wrong = await peapod(["up", ...args, "--data-dir", dir, "--kubelet-config", file]);
    assert.equal(wrong.exitCode, 1);
    assert.match(wrong.stderr, /settings\.yaml: maxpods: unknown field, did you mean maxPods\?/);
    assert.doesNotMatch(wrong.stderr, /^\s+at /m);
  }
  assert.ok(!existsSync(join(dir, "kubelet.yaml")));
  writeFileSync(file, `${header}maxPods: 7\n`);
  const cluster = await TestCluster.start(["--kubelet-config", file]);
  try {
    assert.equal((await cluster.get("nodes")).items[0].status.allocatable.pods, "7");
    assert.match(readFileSync(join(cluster.dataDir, "kubelet.yaml"), "utf8"), /maxPods: 7/);
  } finally {
    await cluster.purge();
  }
});

test("warnings of Node's that find no room on a full disk end nothing", async () => {
  const warns = `let left = 3;
    process.on("beforeExit", () => left-- > 0 && setImmediate(() => process.emitWarning("of something")));`;
  const { exitCode, stdout } = await run("sh", [
    ...["-c", 'exec "$@" 2>/dev/full', "sh", process.execPath],
    ...["--import", `data:text/javascript,${encodeURIComponent(warns)}`, ...mainArgs(), "doctor"],
  ]);
  assert.match(stdout, /crun/);
  assert.equal(exitCode, 0);
});

test("doctor names what this host has", async () => {
  const { exitCode, stdout } = await peapod(["doctor"]);
  assert.equal(exitCode, 0);
  for (const name of ["crun", "conmon", "overlayfs", "cgroups", "CAP_SYS_ADMIN"])
    assert.ok(stdout.includes(name), name);
  const bare = await peapod(["doctor"], { env: { PATH: "/nonexistent" } });
  assert.match(bare.stdout, /MISSING.*crun.*apt-get install crun/);
  assert.equal(bare.exitCode, 1);
});

test("two clusters run side by side, and purging one leaves the other and nothing of its own", async () => {
  const [a, b] = [await TestCluster.start(), await TestCluster.start()];
  try {
    for (const cluster of [a, b]) await cluster.apply(busyboxPod("same-name"));
    for (const cluster of [a, b]) await cluster.wait("pod/same-name", "condition=Ready");
    const ips = await Promise.all([a, b].map(async (c) => (await c.get("pod", "same-name")).status.podIP));
    assert.notEqual(ips[0], ips[1]);
    for (const file of [a.kubeconfig, join(a.dataDir, "pki")]) {
      assert.equal(statSync(file).mode & 0o077, 0, `${file} is for root alone`);
    }
    const traces = await tracesOf(a);
    const before = await footprint(traces);
    for (const [kind, found] of Object.entries(before))
      assert.notEqual(found.length, 0, `a cluster has ${kind}`);
    await a.purge();
    for (const [kind, left] of Object.entries(await footprint(traces))) assert.deepEqual(left, [], kind);
    assert.ok(!existsSync(a.dataDir));
    assert.equal((await b.kubectl(["exec", "same-name", "--", "echo", "alive"])).trim(), "alive");
  } finally {
    await b.purge();
    await a.purge();
  }
});

test("an ephemeral cluster forgets; a lasting one remembers its objects over down and up", async () => {
  const cluster = await TestCluster.start();
  try {
    await cluster.kubectl(["create", "configmap", "kept", "--from-literal=a=b"]);
    await peapod(["down", "--data-dir", cluster.dataDir]);
    assert.equal((await peapod(["status", "--data-dir", cluster.dataDir])).exitCode, 3);
    await cluster.up();
    assert.equal((await cluster.get("configmap", "kept")).data.a, "b");
  } finally {
    await cluster.purge();
  }
  const ephemeral = await TestCluster.start(["--ephemeral"]);
  try {
    await ephemeral.kubectl(["create", "configmap", "lost", "--from-literal=a=b"]);
    await peapod(["down", "--data-dir", ephemeral.dataDir]);
    await ephemeral.up();
    assert.match((await ephemeral.try(["get", "configmap", "lost"])).stderr, /not found/);
  } finally {
    await ephemeral.purge();
  }
});

test("--kubeconfig adds the cluster to a file of the user's and touches no other", async () => {
  const target = join(scratch, "user-kubeconfig");
  const cluster = await TestCluster.start(["--kubeconfig", target]);
  try {
    const { stdout } = await cluster.try(["get", "nodes", "--kubeconfig", target]);
    assert.match(stdout, /Ready/);
    assert.equal(statSync(target).mode & 0o077, 0);
    assert.match(readFileSync(target, "utf8"), /current-context:/);
  } finally {
    await cluster.purge();
  }
});

test("peapod kubectl and the image commands work on the running cluster", async () => {
  const cluster = await TestCluster.start();
  const on = (...args: string[]) =>
    peapod([...args.slice(0, 1), "--data-dir", cluster.dataDir, ...args.slice(1)]);
  const image = (...args: string[]) =>
    peapod(["image", args[0]!, "--data-dir", cluster.dataDir, ...args.slice(1)]);
  try {
    assert.match((await on("kubectl", "get", "nodes", "-o", "name")).stdout, /^node\//);
    assert.equal((await on("kubectl", "get", "pod", "nosuch")).exitCode, 1);
    const pulled = await image("pull", "busybox");
    assert.match(pulled.stdout, /^docker\.io\/library\/busybox@sha256:/);
    assert.match(
      (await image("ls")).stdout,
      /docker\.io\/library\/busybox +latest +[0-9a-f]{12} +[\d.]+\s?[kM]B/,
    );
    assert.equal((await image("rm", "busybox")).exitCode, 0);
    assert.doesNotMatch((await image("ls")).stdout, /busybox/);
    const bad = await image("load", "/nonexistent.tar");
    assert.equal(bad.exitCode, 1);
    assert.match(bad.stderr, /nonexistent/);
  } finally {
    await cluster.purge();
  }
});

function mainArgs(): string[] {
  return [new URL("../dist/main.js", import.meta.url).pathname];
}

interface Traces {
  /** The cluster's directory and id. */
  own: RegExp;
  /** Its pod range, which the next cluster may take as soon as this one is gone. */
  range: RegExp;
  bridge: string;
  id: string;
}

/** What a cluster's things on the host are named by. */
async function tracesOf(cluster: TestCluster): Promise<Traces> {
  const { stdout } = await peapod(["status", "--data-dir", cluster.dataDir, "-o", "json"]);
  const subnet = (JSON.parse(stdout) as { podCidr: string }).podCidr.replace(/\.0\/24$/, "");
  // The unreachable route over the whole range is there once a cluster, each with a metric of its own.
  const ownRoute = `metric ${66_560 + Number(subnet.split(".")[2])}\\b`;
  const ownRange = `\\b${subnet.replaceAll(".", "\\.")}\\b(?!\\.0/16)`;
  const id = createHash("sha256").update(cluster.dataDir).digest("hex").slice(0, 8);
  return {
    own: new RegExp([cluster.dataDir, id].join("|")),
    range: new RegExp([ownRange, ownRoute].join("|")),
    bridge: `pp-${subnet}`,
    id,
  };
}

/** What of a cluster is on the host. */
async function footprint({ own, range, bridge, id }: Traces): Promise<Record<string, string[]>> {
  const lines = async (program: string, ...args: string[]) => (await run(program, args)).stdout.split("\n");
  const all = {
    links: await lines("ip", "-br", "addr"),
    routes: await lines("ip", "route"),
    rules: await lines("nft", "list", "ruleset"),
    mounts: readFileSync("/proc/mounts", "utf8").split("\n"),
    processes: await lines("ps", "-eo", "args"),
    cgroups: await lines("find", "/sys/fs/cgroup", "-maxdepth", "4", "-type", "d"),
  };
  // Asked last: the next cluster may take the range in the middle of this.
  const alias = `/sys/class/net/${bridge}/ifalias`;
  const isAnothers = existsSync(alias) && !readFileSync(alias, "utf8").includes(id);
  const isTrace = (line: string) => own.test(line) || (!isAnothers && range.test(line));
  return Object.fromEntries(Object.entries(all).map(([kind, found]) => [kind, found.filter(isTrace)]));
}
