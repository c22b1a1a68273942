import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { stringify } from "yaml";
import { busyboxPod, eventually, TestCluster } from "./support/cluster.ts";

/** As upstream's test/e2e_node/mirror_pod_test.go. */
describe("static pods", { timeout: 240_000 }, () => {
  let cluster: TestCluster;
  let node: string;
  before(async () => {
    cluster = await TestCluster.start();
    node = (await cluster.get("nodes")).items[0].metadata.name;
  });
  after(() => cluster?.purge());

  const put = (file: string, manifest: object) =>
    writeFileSync(join(cluster.dataDir, "manifests", file), stringify(manifest));
  const drop = (file: string) => rmSync(join(cluster.dataDir, "manifests", file));

  test("run, and kubectl works with their mirrors", async () => {
    put("web.yaml", busyboxPod("web", "echo hello; exec sleep 3600"));
    const name = `web-${node}`;
    await eventually("the mirror is there", () => cluster.get("pod", name));
    await cluster.wait(`pod/${name}`, "condition=Ready");
    await eventually("it says hello", async () => (await cluster.kubectl(["logs", name])) === "hello\n");
    assert.equal(await cluster.kubectl(["exec", name, "--", "hostname"]), `${name}\n`);
    const described = await cluster.kubectl(["describe", "pod", name]);
    assert.match(described, new RegExp(`^Controlled By: +Node/${node}$`, "m"));
    assert.match(described, /Normal +Started .*kubelet +(?:spec.containers\{main\}: )?Container started/);
    const { uid } = (await cluster.get("pod", name)).metadata;
    await cluster.kubectl(["delete", "pod", name, "--wait=false"]);
    await eventually("it is made again", async () => {
      const pod = await cluster.get("pod", name);
      return pod.metadata.uid !== uid && pod.status.containerStatuses?.[0]?.ready;
    });
    assert.equal(await cluster.kubectl(["logs", name]), "hello\n", "the same container");
  });

  test("follow their manifests, and outlive the agent", async () => {
    put("once.yaml", busyboxPod("once", "echo one; exec sleep 3600"));
    const name = `once-${node}`;
    const logs = (text: string) => async () => (await cluster.kubectl(["logs", name])) === text;
    await eventually("it runs", logs("one\n"));
    await cluster.kubectl(["get", "pod", name]);
    put("once.yaml", busyboxPod("once", "echo two; exec sleep 3600"));
    await eventually("it is another", logs("two\n"));
    await cluster.kill();
    drop("once.yaml");
    put("more.yaml", busyboxPod("more", "echo more; exec sleep 3600"));
    await cluster.up();
    await cluster.kubectl(["wait", `pod/${name}`, "--for=delete", "--timeout=60s"]);
    await eventually(
      "the new one runs",
      async () => (await cluster.kubectl(["logs", `more-${node}`])) === "more\n",
    );
    assert.equal(await cluster.kubectl(["logs", `web-${node}`]), "hello\n");
  });

  test("a manifest that is none is told of by an event of the node", async () => {
    put("bad.yaml", { apiVersion: "v1", kind: "Pod", metadata: { name: "bad" }, spec: { containers: [] } });
    // There may be others: of a manifest that was looked at while it was half written.
    const event = await eventually("the event", async () => {
      const { items } = await cluster.get("events", "--field-selector=reason=FailedValidation");
      const said =
        /^Static pod manifest bad\.yaml is not used: invalid pod: spec\.containers: Required value/;
      return items.find(({ message }: { message: string }) => said.test(message));
    });
    assert.equal(event.involvedObject.kind, "Node");
    drop("bad.yaml");
  });
});
