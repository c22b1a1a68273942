import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { busyboxPod, TestCluster } from "./support/cluster.ts";

/** As upstream's test/e2e/common/node/{configmap,secrets,expansion}.go. */
describe("a container's variables", { timeout: 180_000 }, () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.start();
  });
  after(() => cluster?.purge());

  /** The lines that the pod's container printed. */
  async function linesOf(name: string, container: Record<string, unknown>): Promise<Set<string>> {
    const pod = busyboxPod(name, "env", { restartPolicy: "Never" });
    const [main] = pod.spec.containers;
    await cluster.apply({ ...pod, spec: { ...pod.spec, containers: [{ ...main, ...container }] } });
    await cluster.wait(`pod/${name}`, "jsonpath={.status.phase}=Succeeded");
    return new Set((await cluster.kubectl(["logs", name])).split("\n"));
  }

  const prefixes = ["", "1-", "$_-", "ABC_", "#@!"];
  const data = { "data-1": "value-1", "data.2": "value-2", data_3: "value-3" };
  const wanted = prefixes.flatMap((prefix) =>
    Object.entries(data).map(([key, value]) => `${prefix}${key}=${value}`),
  );

  test("have the keys of a ConfigMap and of a Secret as names, with any prefix", async () => {
    await cluster.apply({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "names" }, data });
    await cluster.apply({ apiVersion: "v1", kind: "Secret", metadata: { name: "names" }, stringData: data });
    for (const source of ["configMapRef", "secretRef"]) {
      const envFrom = prefixes.map((prefix) => ({ prefix, [source]: { name: "names" } }));
      const lines = await linesOf(`from-${source.toLowerCase()}`, { envFrom });
      assert.deepEqual(
        wanted.filter((line) => !lines.has(line)),
        [],
        source,
      );
    }
  });

  test("have names of almost any printable character", async () => {
    const names = ["!\"#$%&'()", "* +,-./0123456789", ":;<>?@", "[\\]^_`{}|~"];
    const env = names.map((name, i) => ({ name, value: `value-${i}` }));
    const lines = await linesOf("printable", { env });
    for (const [i, name] of names.entries()) assert.ok(lines.has(`${name}=value-${i}`), name);
  });

  test("are composed of each other, and stand in commands and arguments", async () => {
    const lines = await linesOf("composed", {
      command: ["sh", "-c"],
      args: ["env; echo $(FOOBAR) $$(FOO) $(MISSING)"],
      env: [
        { name: "FOO", value: "foo-value" },
        { name: "BAR", value: "bar-value" },
        { name: "FOOBAR", value: "$(FOO)..$(BAR)" },
        { name: "MISSING", value: "here" },
      ],
    });
    assert.ok(lines.has("FOOBAR=foo-value..bar-value"));
    assert.ok([...lines].some((line) => line.startsWith("foo-value..bar-value ") && line.endsWith(" here")));
  });

  test("may not be named with an equals sign", async () => {
    const pod = busyboxPod("equals", "env", {});
    const [main] = pod.spec.containers;
    const container = { ...main, env: [{ name: "a=b", value: "c" }] };
    const { exitCode, stderr } = await cluster.try(["create", "-f", "-"], {
      input: JSON.stringify({ ...pod, spec: { ...pod.spec, containers: [container] } }),
    });
    assert.equal(exitCode, 1);
    assert.match(stderr, /spec\.containers\[0\]\.env\[0\]\.name: Invalid value: "a=b"/);
  });
});
