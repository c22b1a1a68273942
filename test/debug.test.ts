import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  busyboxPod,
  eventually,
  type KubectlVersion,
  kubectlDefault,
  kubectlOf,
  TestCluster,
} from "./support/cluster.ts";

/** Of `kubectl debug`; undefined: the machine's own. */
const versions: (KubectlVersion | undefined)[] = ["1.31", "1.35", undefined];

let cluster: TestCluster;
let node: string;
before(async () => {
  cluster = await TestCluster.start();
  node = (await cluster.get("nodes")).items[0].metadata.name;
  await cluster.apply(busyboxPod("target", "echo secret > /tmp/mine; exec sleep 4747"));
  await cluster.wait("pod/target", "condition=Ready");
});
after(() => cluster?.purge());

/** A person at a terminal: `script` gives kubectl a real one. */
class Terminal {
  readonly #child;
  readonly ended: Promise<void>;
  #text = "";
  #isAttached = false;

  constructor(version: KubectlVersion | undefined, args: readonly string[]) {
    const quoted = args.map((arg) => `'${arg}'`).join(" ");
    const command = `KUBECONFIG=${cluster.kubeconfig} ${version ? kubectlOf(version) : kubectlDefault} ${quoted}`;
    this.#child = spawn("script", ["-qefc", command, "/dev/null"], { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stdout.on("data", (chunk) => (this.#text += chunk));
    this.#child.stderr.on("data", (chunk) => (this.#text += chunk));
    this.ended = new Promise((resolve) => this.#child.on("exit", () => resolve()));
  }

  /** Types a line, and gives what is printed until its command has ended. */
  async run(line: string): Promise<string> {
    await this.#untilAttached();
    this.#text = "";
    this.#child.stdin.write(`${line}; echo end$((40 + 2))\r`);
    await eventually(`the end of "${line}"`, async () => this.#text.includes("end42"));
    return this.#text.replaceAll("\r", "");
  }

  async exit(code = 0): Promise<void> {
    await this.#untilAttached();
    this.#child.stdin.write(`exit ${code}\r`);
    await this.ended;
  }

  /** The shell's own prompt may have been printed before kubectl joined; this is what kubectl prints then. */
  async #untilAttached(): Promise<void> {
    if (this.#isAttached) return;
    await eventually("kubectl at the shell", async () =>
      /see a command prompt|[#$] $/.test(this.#text),
    ).catch((error) => {
      throw new Error(`kubectl said: ${this.#text}`, { cause: error });
    });
    this.#isAttached = true;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

async function atTerminal<T>(
  version: KubectlVersion | undefined,
  args: readonly string[],
  use: (terminal: Terminal) => Promise<T>,
): Promise<T> {
  const terminal = new Terminal(version, args);
  try {
    return await use(terminal);
  } finally {
    terminal.kill();
  }
}

const statusOf = async (pod: string, container: string) =>
  (await cluster.get("pod", pod)).status.ephemeralContainerStatuses?.find(
    ({ name }: { name: string }) => name === container,
  );
const execIn = (pod: string, container: string, ...command: string[]) =>
  cluster.kubectl(["exec", pod, "-c", container, "--", ...command]);

for (const version of versions) {
  const name = version ?? "of this machine";

  test(`kubectl ${name}: debug -it --target sees the target's processes and files, and leaves the pod as it was`, async () => {
    const container = `debugger-${version?.replace(".", "-") ?? "own"}`;
    const args = ["debug", "target", "-it", "--image=busybox", "--target=main", `--container=${container}`];
    await atTerminal(version, [...args, "--", "sh"], async (terminal) => {
      assert.match(await terminal.run("ps"), /^ +1 .*sleep 4747$/m);
      assert.match(await terminal.run("tty"), /\/dev\/pts\/\d/);
      assert.match(await terminal.run("cat /proc/1/root/tmp/mine"), /^secret$/m);
      await terminal.exit(3);
    });
    const ended = await eventually(
      "its end",
      async () => (await statusOf("target", container)).state.terminated,
    );
    assert.equal(ended.exitCode, 3);
    assert.match(await cluster.kubectl(["logs", "target", "-c", container]), /sleep 4747/);
    const pod = await cluster.get("pod", "target");
    assert.equal(pod.status.containerStatuses[0].restartCount, 0);
    assert.equal(pod.status.phase, "Running");
    await cluster.wait("pod/target", "condition=Ready");
  });

  test(`kubectl ${name}: debug --copy-to --share-processes makes a copy with the debugger in it`, async () => {
    const copy = `copy-${version?.replace(".", "-") ?? "own"}`;
    const args = ["debug", "target", "-it", "--image=busybox", `--copy-to=${copy}`, "--share-processes"];
    await atTerminal(version, [...args, "--container=debugger", "--", "sh"], async (terminal) => {
      assert.match(await terminal.run("ps"), /sleep 4747/);
      await terminal.exit();
    });
    const { spec } = await cluster.get("pod", copy);
    assert.deepEqual(
      spec.containers.map((each: { name: string }) => each.name),
      ["main", "debugger"],
    );
    await cluster.kubectl(["delete", "pod", copy, "--now"]);
  });

  test(`kubectl ${name}: debug node/ has the node's processes, network and files`, async () => {
    const args = ["debug", `node/${node}`, "-it", "--image=busybox", "--", "sh"];
    await atTerminal(version, args, async (terminal) => {
      for (const kind of ["net", "pid", "ipc"]) {
        const link = readlinkSync(`/proc/self/ns/${kind}`);
        assert.ok((await terminal.run(`readlink /proc/self/ns/${kind}`)).includes(link), kind);
      }
      assert.match(await terminal.run(`ls ${join("/host", cluster.dataDir)}`), /kubeconfig/);
      await terminal.exit();
    });
    const { items } = await cluster.get("pods");
    const made = items.find(({ metadata }: any) => metadata.name.startsWith(`node-debugger-${node}`));
    await cluster.wait(`pod/${made.metadata.name}`, "jsonpath={.status.phase}=Succeeded");
    await cluster.kubectl(["delete", "pod", made.metadata.name, "--now"]);
  });
}

test("an ephemeral container has logs, exec, attach, events and a place in describe while it runs", async () => {
  await cluster.apply(busyboxPod("busy"));
  await cluster.wait("pod/busy", "condition=Ready");
  const script = "echo ready; while read line; do echo got $line; done";
  await cluster.kubectl([
    "debug",
    "busy",
    "--image=busybox",
    "-c",
    "d",
    "-i",
    "--attach=false",
    "--",
    "sh",
    "-c",
    script,
  ]);
  await eventually("its start", async () => (await statusOf("busy", "d"))?.state.running);
  const { metadata } = await cluster.get("pod", "busy");
  assert.equal(metadata.generation, 2);
  await eventually(
    "its words",
    async () => (await cluster.kubectl(["logs", "busy", "-c", "d"])) === "ready\n",
  );
  assert.doesNotMatch(
    await execIn("busy", "d", "ps"),
    /sleep 3600/,
    "without a target it sees its own processes",
  );
  // A link-local address is tentative for its first moments.
  const address = async (container: string) =>
    (await execIn("busy", container, "ip", "addr", "show", "eth0")).replaceAll(" tentative", "");
  assert.equal(await address("d"), await address("main"));
  const child = cluster.spawn(["attach", "-i", "busy", "-c", "d"]);
  let text = "";
  child.stdout.on("data", (chunk) => (text += chunk));
  try {
    child.stdin.write("hello\n");
    await eventually("the answer", async () => text.includes("got hello"));
  } finally {
    child.kill("SIGKILL");
  }
  const described = await eventually("the events", async () => {
    const whole = await cluster.kubectl(["describe", "pod", "busy"]);
    return (whole.match(/ Started /g)?.length === 2 && whole) || undefined;
  });
  assert.match(described, /^Ephemeral Containers:\n {2}d:\n/m);
  const events = await cluster.get(
    "events",
    "--field-selector=involvedObject.fieldPath=spec.ephemeralContainers{d}",
  );
  assert.deepEqual(
    new Set(events.items.map(({ reason }: { reason: string }) => reason)).has("Started"),
    true,
  );
});

test("an ephemeral container outlives the agent, and one that has ended does not run again after it", async () => {
  await cluster.apply(busyboxPod("crashed"));
  await cluster.wait("pod/crashed", "condition=Ready");
  await cluster.kubectl(["debug", "crashed", "--image=busybox", "-c", "stays", "--", "sleep", "1000"]);
  await cluster.kubectl(["debug", "crashed", "--image=busybox", "-c", "ends", "--", "sh", "-c", "exit 5"]);
  const stays = await eventually("the one", async () => {
    const status = await statusOf("crashed", "stays");
    return status?.state.running && status;
  });
  const ended = await eventually("the other", async () => {
    const status = await statusOf("crashed", "ends");
    return status?.state.terminated && status;
  });
  await cluster.kill();
  await cluster.up();
  await execIn("crashed", "stays", "true");
  assert.equal((await statusOf("crashed", "stays")).containerID, stays.containerID);
  assert.deepEqual((await statusOf("crashed", "ends")).state, ended.state);
});

/** Bits of capabilities in /proc/self/status. */
const bits = { netAdmin: 12n, sysPtrace: 19n, sysAdmin: 21n } as const;

async function capabilities(container: string): Promise<bigint> {
  const status = await execIn("profiled", container, "cat", "/proc/1/status");
  return BigInt(`0x${/^CapEff:\s+([0-9a-f]+)$/m.exec(status)![1]}`);
}

test("debug's profiles: general, baseline, restricted, netadmin, sysadmin", async () => {
  await cluster.apply(busyboxPod("profiled"));
  await cluster.wait("pod/profiled", "condition=Ready");
  const debug = (profile: string) =>
    cluster.kubectl([
      "debug",
      "profiled",
      "--image=busybox",
      `--profile=${profile}`,
      "-c",
      profile,
      "--",
      "sleep",
      "1000",
    ]);
  const has = (set: bigint, bit: bigint) => (set >> bit) % 2n === 1n;
  for (const profile of ["general", "baseline", "netadmin", "sysadmin"]) {
    await debug(profile);
    await eventually(profile, async () => (await statusOf("profiled", profile))?.state.running);
    const set = await capabilities(profile);
    assert.equal(
      has(set, bits.sysPtrace),
      profile === "general" || profile === "sysadmin",
      `${profile}: ptrace`,
    );
    assert.equal(
      has(set, bits.netAdmin),
      profile === "netadmin" || profile === "sysadmin",
      `${profile}: net`,
    );
    assert.equal(has(set, bits.sysAdmin), profile === "sysadmin", `${profile}: sys`);
  }
  await debug("restricted");
  const { reason, message } = await eventually(
    "the refusal to run as root",
    async () => (await statusOf("profiled", "restricted"))?.state.waiting,
  ).then(() =>
    eventually("its reason", async () => {
      const waiting = (await statusOf("profiled", "restricted")).state.waiting;
      return waiting?.message && waiting;
    }),
  );
  assert.equal(reason, "CreateContainerConfigError");
  assert.match(message, /container has runAsNonRoot and image will run as root/);
});

test("what an ephemeral container may not be is refused in the words kubectl users know", async () => {
  const gone = await cluster.try(["debug", "target", "--image=busybox", "--target=nosuch", "--", "true"]);
  assert.notEqual(gone.exitCode, 0);
  assert.match(gone.stderr, /targetContainerName: Not found: "nosuch"/);
  const absent = await cluster.try(["debug", "nosuch", "--image=busybox", "--", "true"]);
  assert.match(absent.stderr, /pods "nosuch" not found/);
  const taken = await cluster.try(["debug", "target", "--image=busybox", "-c", "main", "--", "true"]);
  assert.notEqual(taken.exitCode, 0);
});
