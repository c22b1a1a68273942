import assert from "node:assert/strict";
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { busyboxPod, eventually, peapod, run, TestCluster } from "./support/cluster.ts";

test("on a full disk writes are refused and reads go on; with room again all is well; a purge leaves the mount", async () => {
  const dir = mkdtempSync(join(tmpdir(), "peapod-full-"));
  await run("mount", ["-t", "tmpfs", "-o", "size=96m", "none", dir]);
  const kubectl = (...args: string[]) =>
    run("kubectl", args, { env: { KUBECONFIG: join(dir, "kubeconfig") }, timeoutMs: 20_000 });
  const fill = join(dir, "fill");
  const big = join(tmpdir(), `peapod-full-${process.pid}`);
  try {
    const up = await peapod(["up", "--detach", "--data-dir", dir]);
    assert.equal(up.exitCode, 0, up.stderr);
    assert.equal((await kubectl("create", "configmap", "before")).exitCode, 0);
    // The log's last page is full as well.
    const log = join(dir, "peapod.log");
    appendFileSync(log, "\n".repeat(4096 - (statSync(log).size % 4096)));
    await run("dd", ["if=/dev/zero", `of=${fill}`, "bs=64k"]);

    let asked = 0;
    writeFileSync(big, "x".repeat(900_000));
    // The store has some room in its own file.
    const name = await eventually("one is refused", async () => {
      const each = `during-${++asked}`;
      const created = await kubectl("create", "configmap", each, `--from-file=${big}`);
      if (created.exitCode === 0) return;
      assert.match(created.stderr, /no space left on the store's device/);
      return each;
    });
    assert.ok(asked < 12, `${asked} were asked for`);
    for (let i = 0; i < 10; i++) assert.equal((await kubectl("get", "configmap", "before")).exitCode, 0);

    rmSync(fill);
    await eventually("a write after there is room", async () => {
      return (await kubectl("create", "configmap", "after", `--from-file=${big}`)).exitCode === 0;
    });
    await eventually("the log has what it could not write", async () =>
      readFileSync(log, "utf8").includes("no space left for the store"),
    );
    assert.match((await kubectl("get", "configmap", name)).stderr, /not found/);

    assert.equal((await peapod(["down", "--purge", "--data-dir", dir])).exitCode, 0);
    assert.ok(readFileSync("/proc/mounts", "utf8").includes(` ${dir} `), "the user's mount is the user's");
    assert.deepEqual(readdirSync(dir), []);
  } finally {
    for (const file of [fill, big]) rmSync(file, { force: true });
    await peapod(["down", "--purge", "--data-dir", dir]);
    await run("umount", ["-l", dir]);
    rmdirSync(dir);
  }
});

test("pods that come, fail and go on a full disk end nothing, and run when there is room again", async () => {
  const disk = mkdtempSync(join(tmpdir(), "peapod-full-"));
  await run("mount", ["-t", "tmpfs", "-o", "size=200m", "none", disk]);
  const settings = join(disk, "kubelet.yaml");
  // Nothing is evicted, which would end the test's pods for minutes.
  writeFileSync(
    settings,
    `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
evictionHard: { nodefs.available: 0%, imagefs.available: 0% }
`,
  );
  const { TMPDIR } = process.env;
  process.env.TMPDIR = disk;
  let cluster: TestCluster | undefined;
  try {
    cluster = await TestCluster.start(["--kubelet-config", settings]);
    const { kind: _, apiVersion: __, ...template } = busyboxPod("", "while :; do date; sleep 0.1; done");
    template.spec.containers.push({
      name: "fails",
      image: "busybox",
      command: ["sh", "-c", "sleep 1; exit 1"],
    });
    const labels = { app: "busy" };
    await cluster.apply({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "busy" },
      spec: {
        replicas: 4,
        selector: { matchLabels: labels },
        template: { ...template, metadata: { labels } },
      },
    });
    // Their main containers: the others come and go, and so do the pods' readiness and the rollout.
    const isRunning = ({ name, state }: any) => name === "main" && state.running;
    const allRun = async (known = new Set<string>()) => {
      const { items } = await cluster!.get("pods");
      const fresh = items.filter(({ metadata, status }: any) => {
        return !known.has(metadata.uid) && status.containerStatuses?.some(isRunning);
      });
      return fresh.length === 4 && items.length === 4;
    };
    await eventually("all run", () => allRun());
    const pid = await cluster.pid();
    const fill = join(disk, "fill");
    await run("dd", ["if=/dev/zero", `of=${fill}`, "bs=64k"]);
    // As many as find room to be written.
    await cluster.try(["delete", "pod", "-l", "app=busy", "--wait=false"]);
    const before = await cluster.get("pods");
    for (let i = 0; i < 40; i++) await cluster.kubectl(["get", "pods"]);
    assert.equal(await cluster.pid(), pid);
    rmSync(fill);
    const known = new Set<string>(before.items.map(({ metadata }: any) => metadata.uid));
    await cluster.kubectl(["delete", "pod", "-l", "app=busy"]);
    await eventually("all are others, and run", () => allRun(known), 60_000);
    assert.equal(await cluster.pid(), pid);
    assert.doesNotMatch(readFileSync(join(cluster.dataDir, "peapod.log"), "utf8"), /^Write error/m);
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    await cluster?.purge();
    await run("umount", ["-l", disk]);
    rmdirSync(disk);
  }
});
