import assert from "node:assert/strict";
import { once } from "node:events";
import { type Duplex, PassThrough, Writable } from "node:stream";
import { after, before, test } from "node:test";
import type { RuntimeError } from "../contract.ts";
import { containerConfig, createTestBed, sandboxConfig, type TestBed, untilExited } from "./test-bed.ts";

let bed: TestBed;
let id: string;
before(async () => {
  bed = await createTestBed();
  const config = sandboxConfig(bed);
  const sandbox = await bed.runtime.runPodSandbox(config);
  id = await bed.runtime.createContainer(sandbox, containerConfig(["sleep", "1000"]), config);
  await bed.runtime.startContainer(id);
});
after(() => bed.close());

const never = new AbortController().signal;

/** What arrives, and a way to wait for some of it. */
function collector() {
  const stream = new PassThrough();
  let text = "";
  const waits: { pattern: RegExp; resolve: () => void }[] = [];
  stream.on("data", (chunk) => {
    text += chunk;
    for (const wait of [...waits]) {
      if (!wait.pattern.test(text)) continue;
      waits.splice(waits.indexOf(wait), 1);
      wait.resolve();
    }
  });
  return {
    stream,
    text: () => text,
    until: (pattern: RegExp) =>
      new Promise<void>((resolve) => (pattern.test(text) ? resolve() : waits.push({ pattern, resolve }))),
  };
}

test("an exec gives output, errors and exit code apart", async () => {
  const result = await bed.runtime.execSync(id, ["sh", "-c", "echo out; echo err >&2; exit 7"], {});
  assert.equal(result.exitCode, 7);
  assert.equal(result.stdout.toString(), "out\n");
  assert.equal(result.stderr.toString(), "err\n");
});

test("input that is complete at once reaches the command, each time", async () => {
  for (let i = 0; i < 10; i++) {
    const stdin = new PassThrough();
    const stdout = collector();
    stdin.end(`round ${i}`);
    const options = { command: ["cat"], tty: false };
    const streams = { stdin, stdout: stdout.stream };
    const result = await bed.runtime.exec(id, options, streams, AbortSignal.timeout(20_000));
    assert.deepEqual([result.exitCode, stdout.text()], [0, `round ${i}`]);
  }
});

test("an exec of a missing command ends in 127, of a file that may not run in 126", async () => {
  const missing = await bed.runtime.execSync(id, ["nosuch"], {});
  assert.equal(missing.exitCode, 127);
  assert.match(missing.stderr.toString(), /^[^\n]*nosuch[^\n]*\n$/, "said once");
  const plain = await bed.runtime.execSync(id, ["/etc/passwd"], {});
  assert.equal(plain.exitCode, 126);
});

test("a command's own exit codes 1 and 127 are passed on as they are", async () => {
  assert.deepEqual(
    [
      (await bed.runtime.execSync(id, ["false"], {})).exitCode,
      (await bed.runtime.execSync(id, ["sh", "-c", "exit 127"], {})).exitCode,
      (await bed.runtime.execSync(id, ["sh", "-c", "kill -9 $$"], {})).exitCode,
    ],
    [1, 127, 137],
  );
});

test("an exec may write to /dev/stdout", async () => {
  const { stdout } = await bed.runtime.execSync(id, ["sh", "-c", "echo there > /dev/stdout"], {});
  assert.equal(stdout.toString(), "there\n");
});

test("past its timeout an exec is killed with all that it started", async () => {
  await assert.rejects(
    bed.runtime.execSync(id, ["sh", "-c", "(setsid sleep 4242 &) ; sleep 4242"], { timeoutMs: 200 }),
    (error: RuntimeError) => error.reason === "DeadlineExceeded",
  );
  const { stdout } = await bed.runtime.execSync(id, ["ps"], {});
  assert.doesNotMatch(stdout.toString(), /4242/);
});

test("of an exec's output no more than asked for is kept", async () => {
  const { stdout, exitCode } = await bed.runtime.execSync(id, ["sh", "-c", "yes | head -c 1000000"], {
    outputBytesMax: 1000,
  });
  assert.equal(exitCode, 0);
  assert.equal(stdout.length, 1000);
});

test("an exec reads standard input to its end", async () => {
  const stdin = new PassThrough();
  const stdout = collector();
  stdin.end(Buffer.alloc(300_000, "x"));
  const { exitCode } = await bed.runtime.exec(
    id,
    { command: ["wc", "-c"], tty: false },
    { stdin, stdout: stdout.stream },
    never,
  );
  assert.equal(exitCode, 0);
  assert.equal(stdout.text().trim(), "300000");
});

test("an exec with a terminal has its size and follows it", async () => {
  const stdin = new PassThrough();
  const stdout = collector();
  const sizes = new PassThrough({ objectMode: true });
  const ended = bed.runtime.exec(
    id,
    { command: ["sh"], tty: true },
    { stdin, stdout: stdout.stream, resize: sizes as AsyncIterable<{ columns: number; rows: number }> },
    never,
  );
  await stdout.until(/[#$] /);
  sizes.write({ columns: 133, rows: 44 });
  stdin.write("until stty size | grep '44 133'; do :; done; tty; echo $TERM\n");
  await stdout.until(/44 133[\s\S]*\/dev\/pts\/\d[\s\S]*xterm/);
  stdin.write("exit 9\n");
  assert.deepEqual(await ended, { exitCode: 9 });
});

for (const tty of [false, true])
  test(`a client that reads slowly gets all that was said, ${tty ? "at" : "without"} a terminal`, async () => {
    const chunks: Buffer[] = [];
    const stdout = new Writable({
      highWaterMark: 1,
      write(chunk, _, done) {
        chunks.push(chunk);
        // The command has ended long before.
        setTimeout(done, chunks.length === 1 ? 1_200 : 0);
      },
    });
    const command = ["seq", tty ? "3000" : "100000"];
    const result = await bed.runtime.exec(id, { command, tty }, { stdout }, never);
    assert.equal(result.exitCode, 0);
    const lines = Buffer.concat(chunks).toString().trimEnd().split(/\r?\n/);
    assert.deepEqual([lines.length, lines.at(-1)], [Number(command[1]), command[1]]);
  });

test("a command at a terminal that says much and ends has all of it heard", async () => {
  for (let i = 0; i < 20; i++) {
    const stdout = collector();
    const command = ["seq", "1500"];
    const { exitCode } = await bed.runtime.exec(id, { command, tty: true }, { stdout: stdout.stream }, never);
    assert.equal(exitCode, 0);
    assert.equal(stdout.text().split("\r\n").length, 1501);
  }
});

test("a client that stopped to read and goes away holds nothing up", async () => {
  const client = new AbortController();
  const arrived = new PassThrough({ highWaterMark: 1 });
  const options = { command: ["seq", "100000"], tty: false };
  const ended = bed.runtime.exec(id, options, { stdout: arrived }, client.signal);
  await once(arrived, "readable");
  client.abort();
  await ended;
});

test("an exec whose client goes away is killed", async () => {
  const client = new AbortController();
  const stdout = collector();
  const ended = bed.runtime.exec(
    id,
    { command: ["sh", "-c", "echo up; sleep 5151"], tty: false },
    { stdout: stdout.stream },
    client.signal,
  );
  await stdout.until(/up/);
  client.abort();
  await ended;
  const { stdout: processes } = await bed.runtime.execSync(id, ["ps"], {});
  assert.doesNotMatch(processes.toString(), /5151/);
});

test("what an exec starts is in the container's cgroup", async () => {
  const { stdout } = await bed.runtime.execSync(id, ["cat", "/proc/self/cgroup"], {});
  assert.match(stdout.toString(), new RegExp(`memory:.*/${bed.cgroupRoot}/kubepods/burstable/[^/]+/${id}`));
});

test("many execs at once each get their own output", async () => {
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, i) => bed.runtime.execSync(id, ["echo", String(i)], {})),
  );
  assert.deepEqual(
    results.map((result) => result.stdout.toString().trim()),
    Array.from({ length: 20 }, (_, i) => String(i)),
  );
});

test("attach joins the streams of the first process until it ends", async () => {
  const config = sandboxConfig(bed);
  const sandbox = await bed.runtime.runPodSandbox(config);
  const command = ["sh", "-c", "while read line; do echo got $line; echo err $line >&2; done; exit 4"];
  const container = await bed.runtime.createContainer(
    sandbox,
    containerConfig(command, { stdin: true, stdinOnce: true }),
    config,
  );
  await bed.runtime.startContainer(container);
  const [stdin, stdout, stderr] = [new PassThrough(), collector(), collector()];
  const attached = bed.runtime.attach(
    container,
    { tty: false },
    { stdin, stdout: stdout.stream, stderr: stderr.stream },
    never,
  );
  stdin.write("one\n");
  await stdout.until(/got one\n/);
  await stderr.until(/err one\n/);
  stdin.end("two\n");
  await attached;
  assert.equal((await untilExited(bed.runtime, container)).exitCode, 4);
  assert.equal(stdout.text(), "got one\ngot two\n");
  await bed.runtime.removePodSandbox(sandbox);
});

test("attach to a terminal, leave, and attach again: the container runs on", async () => {
  const config = sandboxConfig(bed);
  const sandbox = await bed.runtime.runPodSandbox(config);
  const container = await bed.runtime.createContainer(
    sandbox,
    containerConfig(["sh"], { stdin: true, tty: true }),
    config,
  );
  await bed.runtime.startContainer(container);
  for (const word of ["first", "second"]) {
    const client = new AbortController();
    const [stdin, stdout] = [new PassThrough(), collector()];
    const sizes = new PassThrough({ objectMode: true });
    const attached = bed.runtime.attach(
      container,
      { tty: true },
      { stdin, stdout: stdout.stream, resize: sizes as AsyncIterable<{ columns: number; rows: number }> },
      client.signal,
    );
    sizes.write({ columns: 99, rows: 33 });
    stdin.write(`until stty size | grep '33 99'; do :; done; echo ${word}-$((1+1))\n`);
    await stdout.until(new RegExp(`33 99[\\s\\S]*${word}-2`));
    client.abort();
    await attached;
  }
  assert.equal((await bed.runtime.containerStatus(container))?.state, "running");
  await bed.runtime.removePodSandbox(sandbox);
});

for (const tty of [false, true])
  test(`all that a container says at its end is heard, slowly, ${tty ? "at" : "without"} a terminal`, async () => {
    const config = sandboxConfig(bed);
    const sandbox = await bed.runtime.runPodSandbox(config);
    for (let i = 0; i < 5; i++) {
      const command = ["sh", "-c", "read go; seq 20000"];
      const container = await bed.runtime.createContainer(
        sandbox,
        containerConfig(command, { stdin: true, stdinOnce: true, tty }),
        config,
      );
      await bed.runtime.startContainer(container);
      const chunks: Buffer[] = [];
      const stdout = new Writable({
        highWaterMark: 1,
        write(chunk, _, done) {
          chunks.push(chunk);
          setImmediate(done);
        },
      });
      const stdin = new PassThrough();
      stdin.write("go\n");
      await bed.runtime.attach(container, { tty }, { stdin, stdout }, never);
      await new Promise<void>((resolve) => stdout.end(resolve));
      const lines = Buffer.concat(chunks)
        .toString()
        .replace(/^go\r?\n/, "")
        .trimEnd()
        .split(/\r?\n/);
      assert.deepEqual(
        lines,
        Array.from({ length: 20_000 }, (_, n) => String(n + 1)),
      );
      await bed.runtime.removeContainer(container);
    }
    await bed.runtime.removePodSandbox(sandbox);
  });

test("a port of the pod's localhost is forwarded, and a closed one says so", async () => {
  const config = sandboxConfig(bed);
  const sandbox = await bed.runtime.runPodSandbox(config);
  const script = "echo ready; nc -l -p 8080 -e cat";
  const container = await bed.runtime.createContainer(sandbox, containerConfig(["sh", "-c", script]), config);
  await bed.runtime.startContainer(container);
  // The command needs a moment to listen.
  const until = async (attempts: number): Promise<Duplex> =>
    bed.runtime.portForward(sandbox, 8080).catch((error) => {
      if (attempts === 0) throw error;
      return until(attempts - 1);
    });
  const connection = await until(10_000);
  const echoed = collector();
  connection.pipe(echoed.stream);
  connection.write("through");
  await echoed.until(/through/);
  connection.destroy();
  await assert.rejects(bed.runtime.portForward(sandbox, 9), /failed to connect to localhost:9/);
  await untilExited(bed.runtime, container);
  await bed.runtime.removePodSandbox(sandbox);
});
