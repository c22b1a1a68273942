import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { parse } from "yaml";
import { findKubectl } from "../cli/index.ts";
import { kubeconfig, mergeKubeconfig, writeKubeconfig } from "./kubeconfig.ts";

const run = promisify(execFile);
const kubectl = findKubectl(
  process.env.PATH ?? "",
  join(process.env.PEAPOD_CACHE_DIR ?? "/var/cache/peapod", "kubectl"),
);
const mine = kubeconfig({
  server: "https://127.0.0.1:6443",
  caCertificate: "CA",
  client: { certificate: "CERT", key: "KEY" },
});

test("kubectl reads the kubeconfig, which only its owner can", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "peapod-kubeconfig-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, "kubeconfig");
  await writeKubeconfig(path, mine);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const { stdout } = await run(kubectl, ["config", "view", "--raw", "--minify", "-o", "json"], {
    env: { ...process.env, KUBECONFIG: path },
  });
  const seen = JSON.parse(stdout);
  assert.equal(seen["current-context"], "peapod");
  assert.deepEqual(seen.clusters[0], {
    name: "peapod",
    cluster: {
      server: "https://127.0.0.1:6443",
      "certificate-authority-data": Buffer.from("CA").toString("base64"),
    },
  });
});

test("merging keeps what a person has, replaces what is ours and makes it current", () => {
  const existing = `# mine
apiVersion: v1
kind: Config
preferences: {}
clusters:
- name: work
  cluster: {server: https://work}
- name: peapod
  cluster: {server: https://old}
users: []
contexts:
- name: work
  context: {cluster: work, user: me, namespace: x}
current-context: work
`;
  const merged = mergeKubeconfig(existing, mine);
  assert.ok(merged.startsWith("# mine"));
  const config = parse(merged);
  assert.deepEqual(
    config.clusters.map((c: any) => [c.name, c.cluster.server]),
    [
      ["work", "https://work"],
      ["peapod", "https://127.0.0.1:6443"],
    ],
  );
  assert.equal(config.users[0].name, "peapod-admin");
  assert.equal(config.contexts.length, 2);
  assert.equal(config["current-context"], "peapod");
  assert.equal(mergeKubeconfig(merged, mine), merged, "once is enough");
  assert.equal(mergeKubeconfig(undefined, mine), mine);
  assert.equal(mergeKubeconfig("", mine), mine);
  assert.throws(() => mergeKubeconfig("- a list", mine), /not a kubeconfig/);
  assert.throws(() => mergeKubeconfig("a: [", mine), /not valid YAML/);
});
