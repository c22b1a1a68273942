import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Duplex, PassThrough } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import type { PodSandboxConfig, RuntimeEvent } from "./contract.ts";

import { type ContractBed, containerOf, podOf, untilExited } from "./contract-fixture.suite.ts";
import { resourceTests } from "./contract-resources.suite.ts";

const forever = ["sleep", "1000"];
/** An event that never comes fails its test, not the whole run. */
const timeout = 30_000;

/** What every engine does for the kubelet, told by its contract. */
export function contractSuite(name: string, make: () => Promise<ContractBed>, skip?: string | false): void {
  describe(`${name} keeps the runtime's contract`, { skip, timeout: 300_000 }, () => {
    let bed: ContractBed;
    before(async () => {
      bed = await make();
    });
    after(() => bed?.close());

    async function withPod<T>(use: (sandboxId: string, pod: PodSandboxConfig) => Promise<T>): Promise<T> {
      const pod = podOf(bed);
      const sandboxId = await bed.runtime.runPodSandbox(pod);
      try {
        return await use(sandboxId, pod);
      } finally {
        await bed.runtime.removePodSandbox(sandboxId);
      }
    }

    async function started(
      sandboxId: string,
      pod: PodSandboxConfig,
      command: readonly string[],
      changes?: Parameters<typeof containerOf>[2],
    ): Promise<string> {
      const id = await bed.runtime.createContainer(sandboxId, containerOf(bed, command, changes), pod);
      await bed.runtime.startContainer(id);
      return id;
    }

    test("a sandbox is listed as it was asked for, until it is removed", { timeout }, async () => {
      const pod = podOf(bed);
      const id = await bed.runtime.runPodSandbox(pod);
      const status = await bed.runtime.podSandboxStatus(id);
      assert.equal(status?.state, "ready");
      assert.deepEqual(status.metadata, pod.metadata);
      assert.deepEqual(status.labels, pod.labels);
      assert.equal(status.annotations["example.com/note"], "kept");
      assert.equal(status.ips.length > 0, true);
      assert.deepEqual(
        (await bed.runtime.listPodSandboxes()).map((one) => one.id),
        [id],
      );
      await bed.runtime.stopPodSandbox(id);
      assert.equal((await bed.runtime.podSandboxStatus(id))?.state, "notReady");
      await bed.runtime.removePodSandbox(id);
      assert.equal(await bed.runtime.podSandboxStatus(id), undefined);
      assert.deepEqual(await bed.runtime.listPodSandboxes(), []);
    });

    test("every call may be repeated", { timeout }, async () => {
      const pod = podOf(bed);
      const id = await bed.runtime.runPodSandbox(pod);
      assert.equal(await bed.runtime.runPodSandbox(pod), id);
      const config = containerOf(bed, forever);
      const container = await bed.runtime.createContainer(id, config, pod);
      assert.equal(await bed.runtime.createContainer(id, config, pod), container);
      await bed.runtime.startContainer(container);
      await bed.runtime.startContainer(container);
      for (let i = 0; i < 2; i++) await bed.runtime.stopContainer(container, { graceS: 0 });
      for (let i = 0; i < 2; i++) await bed.runtime.removeContainer(container);
      for (let i = 0; i < 2; i++) await bed.runtime.stopPodSandbox(id);
      for (let i = 0; i < 2; i++) await bed.runtime.removePodSandbox(id);
    });

    test("a container is created, runs and ends, and each is told once", { timeout }, async () => {
      await withPod(async (sandboxId, pod) => {
        const events: RuntimeEvent[] = [];
        const stop = bed.runtime.onEvent((event) => events.push(event));
        const id = await bed.runtime.createContainer(sandboxId, containerOf(bed, forever), pod);
        const created = await bed.runtime.containerStatus(id);
        assert.equal(created?.state, "created");
        assert.equal(created.sandboxId, sandboxId);
        assert.deepEqual(created.metadata, { name: "main", attempt: 0 });
        assert.deepEqual(created.labels, { tier: "main" });
        assert.equal(created.annotations["example.com/hash"], "abc");
        assert.equal(created.imageId, bed.imageId);
        assert.equal(created.logPath, join(pod.logDirectory, "main_0.log"));
        await bed.runtime.startContainer(id);
        const running = await bed.runtime.containerStatus(id);
        assert.equal(running?.state, "running");
        assert.equal(running.exitCode, undefined);
        await bed.runtime.stopContainer(id, { graceS: 0 });
        const exited = await untilExited(bed.runtime, id);
        assert.equal(exited.exitCode, 137);
        assert.equal(exited.finishedAtMs! >= exited.startedAtMs!, true);
        stop();
        assert.deepEqual(events, [
          { type: "started", containerId: id, sandboxId },
          { type: "exited", containerId: id, sandboxId },
        ]);
        await bed.runtime.removeContainer(id);
        assert.equal(await bed.runtime.containerStatus(id), undefined);
      });
    });

    test("containers are listed by their sandbox", { timeout }, async () => {
      await withPod(async (one, podOne) => {
        await withPod(async (two, podTwo) => {
          const first = await bed.runtime.createContainer(one, containerOf(bed, forever), podOne);
          const second = await bed.runtime.createContainer(two, containerOf(bed, forever), podTwo);
          const ids = async (filter?: { sandboxId?: string }) =>
            (await bed.runtime.listContainers(filter)).map(({ id }) => id).sort();
          assert.deepEqual(await ids(), [first, second].sort());
          assert.deepEqual(await ids({ sandboxId: two }), [second]);
        });
      });
    });

    test("removing a sandbox ends and removes what runs in it", { timeout }, async () => {
      const pod = podOf(bed);
      const sandboxId = await bed.runtime.runPodSandbox(pod);
      const id = await started(sandboxId, pod, forever);
      await bed.runtime.removePodSandbox(sandboxId);
      assert.equal(await bed.runtime.containerStatus(id), undefined);
      assert.deepEqual(await bed.runtime.listContainers(), []);
    });

    test("what is not there has no status, and nothing can be made in it", { timeout }, async () => {
      const nobody = "0".repeat(64);
      assert.equal(await bed.runtime.podSandboxStatus(nobody), undefined);
      assert.equal(await bed.runtime.containerStatus(nobody), undefined);
      assert.equal(await bed.runtime.containerStats(nobody), undefined);
      await bed.runtime.stopContainer(nobody, { graceS: 0 });
      await bed.runtime.removePodSandbox(nobody);
      await assert.rejects(bed.runtime.createContainer(nobody, containerOf(bed, forever), podOf(bed)), {
        name: "RuntimeError",
        reason: "NotFound",
      });
      await assert.rejects(bed.runtime.startContainer(nobody), { reason: "NotFound" });
    });

    test("an engine says what it is and that it is ready", { timeout }, async () => {
      const { name: engine, version } = await bed.runtime.version();
      assert.match(engine, /\w/);
      assert.match(version, /\d/);
      assert.deepEqual(await bed.runtime.status(), { ready: true, message: "" });
    });

    test("images are found by id and listed; one that is not here is undefined", { timeout }, async () => {
      const image = await bed.runtime.images.status(bed.imageId);
      assert.equal(image?.id, bed.imageId);
      assert.equal((await bed.runtime.images.list()).map(({ id }) => id).includes(bed.imageId), true);
      assert.equal(await bed.runtime.images.status("registry.invalid/none:v1"), undefined);
      await bed.runtime.images.remove("registry.invalid/none:v1");
      assert.equal((await bed.runtime.images.fsUsage()).capacityBytes > 0, true);
    });

    const real = (title: string, run: () => Promise<void>) =>
      test(title, { timeout }, async (t) => {
        if (bed.runs === "nothing") return t.skip("this engine runs no process");
        await run();
      });

    real("a container that ends by itself has its exit code, and its output in CRI's log format", () =>
      withPod(async (sandboxId, pod) => {
        const id = await started(sandboxId, pod, ["sh", "-c", "echo out; echo err >&2; exit 3"]);
        const status = await untilExited(bed.runtime, id);
        assert.equal(status.exitCode, 3);
        assert.equal(status.reason, "Error");
        const lines = readFileSync(status.logPath, "utf8").trimEnd().split("\n").sort(byStream);
        assert.match(lines[0]!, /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d) stderr F err$/);
        assert.match(lines[1]!, / stdout F out$/);
      }),
    );

    real("a container that ends well is Completed", () =>
      withPod(async (sandboxId, pod) => {
        const id = await started(sandboxId, pod, ["true"]);
        const { exitCode, reason } = await untilExited(bed.runtime, id);
        assert.deepEqual({ exitCode, reason }, { exitCode: 0, reason: "Completed" });
      }),
    );

    real("a container that joins its target's PID namespace sees its processes, and ends with it", () =>
      withPod(async (sandboxId, pod) => {
        const target = await started(sandboxId, pod, ["sleep", "1234"]);
        const guest = (name: string) => {
          const changes = { metadata: { name, attempt: 0 }, logPath: `${name}_0.log` };
          const config = containerOf(bed, forever, changes);
          return { ...config, linux: { ...config.linux, pidNamespaceOf: target } };
        };
        const id = await bed.runtime.createContainer(sandboxId, guest("guest"), pod);
        await bed.runtime.startContainer(id);
        const { stdout } = await bed.runtime.execSync(id, ["ps"], {});
        assert.match(stdout.toString(), /^ +1 .*sleep 1234$/m);
        await bed.runtime.stopContainer(target, { graceS: 0 });
        assert.equal((await untilExited(bed.runtime, id)).exitCode, 137);
        await assert.rejects(bed.runtime.createContainer(sandboxId, guest("late"), pod), {
          name: "RuntimeError",
        });
      }),
    );

    real("a command that is not there is a StartError with a message", () =>
      withPod(async (sandboxId, pod) => {
        const id = await bed.runtime.createContainer(sandboxId, containerOf(bed, ["no-such-command"]), pod);
        await assert.rejects(bed.runtime.startContainer(id), {
          reason: "RunContainerError",
          message: /no-such-command/,
        });
        const status = await bed.runtime.containerStatus(id);
        assert.equal(status?.state, "exited");
        assert.equal(status.reason, "StartError");
        assert.equal(status.exitCode, 128);
      }),
    );

    real("a container that obeys its stop signal ends before its grace is over", () =>
      withPod(async (sandboxId, pod) => {
        const id = await started(sandboxId, pod, [
          "sh",
          "-c",
          "trap 'exit 7' TERM; while :; do sleep 0.05; done",
        ]);
        await bed.runtime.execSync(id, ["true"], {});
        await bed.runtime.stopContainer(id, { graceS: 20 });
        assert.equal((await untilExited(bed.runtime, id)).exitCode, 7);
      }),
    );

    real("a container that ignores its stop signal is killed after its grace", () =>
      withPod(async (sandboxId, pod) => {
        const id = await started(sandboxId, pod, ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]);
        await bed.runtime.execSync(id, ["true"], {});
        await bed.runtime.stopContainer(id, { graceS: 1 });
        assert.equal((await untilExited(bed.runtime, id)).exitCode, 137);
      }),
    );

    real("environment, working directory, user, root filesystem and mounts are as configured", () =>
      withPod(async (sandboxId, pod) => {
        const volume = join(bed.dir, "volume");
        mkdirSync(volume, { recursive: true });
        const id = await started(sandboxId, pod, forever, {
          env: [{ name: "GREETING", value: "a b=c" }],
          workingDir: "/tmp",
          mounts: [{ containerPath: "/data", hostPath: volume, readOnly: true, propagation: "private" }],
          security: { runAsUser: 1234, runAsGroup: 55, supplementalGroups: [66], readOnlyRootfs: true },
        });
        const script =
          'echo "$GREETING|$(pwd)|$(id -u):$(id -g):$(id -G)|$(hostname)"; touch /data/x; touch /x; grep Seccomp: /proc/self/status';
        const { stdout, stderr } = await bed.runtime.execSync(id, ["sh", "-c", script], {});
        const [first, seccomp] = stdout.toString().trim().split("\n");
        assert.equal(first, `a b=c|/tmp|1234:55:55 66|${pod.hostname}`);
        assert.match(seccomp!, /2$/);
        assert.equal(stderr.toString().match(/Read-only file system/g)?.length, 2);
      }),
    );

    real("what is mounted and is not there is made, a directory; what cannot be made is told", () =>
      withPod(async (sandboxId, pod) => {
        const absent = join(bed.dir, "absent/deep");
        const mount = { containerPath: "/data", readOnly: false, propagation: "private" } as const;
        const id = await started(sandboxId, pod, forever, { mounts: [{ ...mount, hostPath: absent }] });
        await bed.runtime.execSync(id, ["touch", "/data/x"], {});
        assert.equal(statSync(absent).mode & 0o777, 0o755);
        assert.ok(existsSync(join(absent, "x")));
        const impossible = {
          metadata: { name: "other", attempt: 0 },
          mounts: [{ ...mount, hostPath: join(absent, "x/below") }],
        };
        await assert.rejects(
          started(sandboxId, pod, forever, impossible),
          /failed to (mkdir|stat) .*x\/below/,
        );
      }),
    );

    real("exec tells output, errors and exit code apart", () =>
      withPod(async (sandboxId, pod) => {
        const id = await started(sandboxId, pod, forever);
        const result = await bed.runtime.execSync(id, ["sh", "-c", "echo a; echo b >&2; exit 4"], {});
        assert.equal(result.exitCode, 4);
        assert.equal(result.stdout.toString(), "a\n");
        assert.equal(result.stderr.toString(), "b\n");
      }),
    );

    real("an exec past its timeout is killed", () =>
      withPod(async (sandboxId, pod) => {
        const id = await started(sandboxId, pod, forever);
        await assert.rejects(bed.runtime.execSync(id, ["sleep", "77"], { timeoutMs: 1000 }), {
          reason: "DeadlineExceeded",
        });
      }),
    );

    real("a streamed exec carries stdin to its end, and ends with the exit code", () =>
      withPod(async (sandboxId, pod) => {
        const id = await started(sandboxId, pod, forever);
        const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
        const output = Promise.all([buffer(stdout), text(stderr)]);
        const sent = Buffer.alloc(3_000_000, "0123456789\n");
        stdin.end(sent);
        const { exitCode } = await bed.runtime.exec(
          id,
          { command: ["sh", "-c", "cat; echo done >&2; exit 9"], tty: false },
          { stdin, stdout, stderr },
          new AbortController().signal,
        );
        for (const stream of [stdout, stderr]) stream.end();
        const [received, errors] = await output;
        assert.equal(exitCode, 9);
        assert.equal(received.equals(sent), true);
        assert.equal(errors, "done\n");
      }),
    );

    real("an exec with a terminal has its size", () =>
      withPod(async (sandboxId, pod) => {
        const id = await started(sandboxId, pod, forever);
        const stdout = new PassThrough();
        const output = text(stdout);
        const { exitCode } = await bed.runtime.exec(
          id,
          {
            command: ["sh", "-c", "until stty size 2>/dev/null | grep '33 91'; do :; done"],
            tty: true,
          },
          { stdout, resize: once({ columns: 91, rows: 33 }) },
          new AbortController().signal,
        );
        stdout.end();
        assert.equal(exitCode, 0);
        assert.match(await output, /33 91/);
      }),
    );

    real("attach joins the streams of the first process", () =>
      withPod(async (sandboxId, pod) => {
        const id = await started(sandboxId, pod, ["sh", "-c", "read word; echo got $word; exit 5"], {
          stdin: true,
          stdinOnce: true,
        });
        const [stdin, stdout] = [new PassThrough(), new PassThrough()];
        const output = text(stdout);
        stdin.write("hello\n");
        await bed.runtime.attach(id, { tty: false }, { stdin, stdout }, new AbortController().signal);
        stdout.end();
        assert.equal(await output, "got hello\n");
        assert.equal((await untilExited(bed.runtime, id)).exitCode, 5);
      }),
    );

    real("attach ends with its client's input where the container's own is for others, too", () =>
      withPod(async (sandboxId, pod) => {
        const id = await started(sandboxId, pod, ["sh", "-c", "read word; read again; exit 6"], {
          stdin: true,
        });
        for (const word of ["one\n", "two\n"]) {
          const [stdin, stdout] = [new PassThrough(), new PassThrough()];
          stdin.end(word);
          await bed.runtime.attach(id, { tty: false }, { stdin, stdout }, new AbortController().signal);
        }
        assert.equal((await untilExited(bed.runtime, id)).exitCode, 6);
      }),
    );

    real("port-forward reaches what listens in the pod", () =>
      withPod(async (sandboxId, pod) => {
        const id = await started(sandboxId, pod, ["nc", "-l", "-p", "8080", "-e", "cat"]);
        const isListening = "until cat /proc/net/tcp* | grep -q ':1F90 .* 0A '; do sleep 0.02; done";
        await bed.runtime.execSync(id, ["sh", "-c", isListening], {});
        const connection: Duplex = await bed.runtime.portForward(sandboxId, 8080);
        connection.write("ping");
        for await (const piece of connection) {
          assert.equal(String(piece), "ping");
          break;
        }
      }),
    );

    resourceTests({ bed: () => bed, real, withPod, started });

    real("a log that was moved away is opened anew", () =>
      withPod(async (sandboxId, pod) => {
        const { renameSync } = await import("node:fs");
        const id = await started(sandboxId, pod, ["sh", "-c", "echo one; read x; echo two"], { stdin: true });
        const { logPath } = (await bed.runtime.containerStatus(id))!;
        renameSync(logPath, `${logPath}.1`);
        await bed.runtime.reopenContainerLog(id);
        const [stdin, stdout] = [new PassThrough(), new PassThrough()];
        stdout.resume();
        stdin.write("go\n");
        await bed.runtime.attach(id, { tty: false }, { stdin, stdout }, new AbortController().signal);
        await untilExited(bed.runtime, id);
        assert.match(readFileSync(logPath, "utf8"), / stdout F two\n$/);
      }),
    );
  });
}

/** The stream's name comes after the time. */
const byStream = (a: string, b: string) => (a.split(" ")[1]! < b.split(" ")[1]! ? -1 : 1);

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}
