import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { busyboxPod, TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start();
});
after(() => cluster?.purge());

const refused = async (manifest: object | string, args: string[] = []) => {
  const input = typeof manifest === "string" ? manifest : JSON.stringify(manifest);
  const { exitCode, stderr } = await cluster.try(["create", "-f", "-", "--validate=false", ...args], {
    input,
  });
  assert.equal(exitCode, 1, stderr);
  return stderr;
};
const raw = (path: string, body: string | Buffer, args: string[] = []) =>
  cluster.try(["create", "--raw", path, "-f", "-", ...args], { input: body });

test("a pod without a spec is told what it lacks", async () => {
  const message = await refused({ apiVersion: "v1", kind: "Pod", metadata: { name: "bare" } });
  assert.match(message, /Pod "bare" is invalid: spec\.containers: Required value/);
});

test("a bad manifest gets every error at once, each with its path", async () => {
  const message = await refused({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "Bad_Name", labels: { "a b": "c" } },
    spec: {
      restartPolicy: "Sometimes",
      containers: [
        { name: "same", image: "busybox", ports: [{ containerPort: 70000 }] },
        { name: "same", image: "", volumeMounts: [{ name: "nowhere", mountPath: "/x" }] },
      ],
    },
  });
  for (const part of [
    'metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain',
    'metadata.labels: Invalid value: "a b"',
    'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"',
    "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
    'spec.containers[1].name: Duplicate value: "same"',
    "spec.containers[1].image: Required value",
    'spec.containers[1].volumeMounts[0].name: Not found: "nowhere"',
  ]) {
    assert.ok(
      message
        .replaceAll(
          'supported values: "Always", "OnFailure", "Never"',
          'supported values: "Always", "Never", "OnFailure"',
        )
        .includes(part),
      `${part}\nin ${message}`,
    );
  }
});

test("quantities that are none are refused", async () => {
  const message = await refused(
    busyboxPod("bad-quantity", "", {
      containers: [{ name: "main", image: "busybox", resources: { requests: { memory: "lots" } } }],
    }),
  );
  assert.match(message, /quantities must match the regular expression/);
});

test("unknown fields are errors when strict, warnings when asked, nothing when ignored", async () => {
  const manifest = { ...busyboxPod("unknown-field"), spec: { ...busyboxPod("x").spec, nosuchField: 1 } };
  const create = (mode: string) =>
    cluster.try(["create", "-f", "-", "--dry-run=server", `--validate=${mode}`], {
      input: JSON.stringify(manifest),
    });
  const strict = await create("strict");
  assert.equal(strict.exitCode, 1);
  assert.match(strict.stderr, /unknown field "spec.nosuchField"/);
  const warn = await create("warn");
  assert.equal(warn.exitCode, 0);
  assert.match(warn.stderr, /Warning: unknown field "spec.nosuchField"/);
  const ignore = await create("ignore");
  assert.deepEqual([ignore.exitCode, ignore.stderr], [0, ""]);
});

test("malformed JSON, YAML and protobuf are 400s, not crashes", async () => {
  const path = "/api/v1/namespaces/default/configmaps";
  assert.match((await raw(path, "{ not json")).stderr, /BadRequest|invalid character|couldn't get version/);
  const server = (await cluster.kubectl(["config", "view", "--raw", "-o", "json"])).trim();
  const config = JSON.parse(server);
  const { request } = await import("node:https");
  const send = (contentType: string, body: Buffer) =>
    new Promise<{ code: number; status: any }>((resolve, reject) => {
      const req = request(
        `${config.clusters[0].cluster.server}${path}`,
        {
          method: "POST",
          ca: Buffer.from(config.clusters[0].cluster["certificate-authority-data"], "base64"),
          cert: Buffer.from(config.users[0].user["client-certificate-data"], "base64"),
          key: Buffer.from(config.users[0].user["client-key-data"], "base64"),
          headers: { "content-type": contentType, "content-length": body.length },
        },
        (res) => {
          const chunks: Buffer[] = [];
          res.on("data", (chunk) => chunks.push(chunk));
          res.on("end", () =>
            resolve({ code: res.statusCode!, status: JSON.parse(Buffer.concat(chunks).toString()) }),
          );
          res.on("error", reject);
        },
      );
      req.on("error", reject);
      req.end(body);
    });
  for (const [type, body, code] of [
    ["application/json", Buffer.from("{"), 400],
    ["application/yaml", Buffer.from("a: [b"), 400],
    ["application/vnd.kubernetes.protobuf", Buffer.from("k8s\0\xff\xff\xff", "latin1"), 400],
    ["application/x-nosuch", Buffer.from("{}"), 415],
    ["application/json", Buffer.alloc(4 * 1024 * 1024, 0x20), 413],
  ] as const) {
    const answer = await send(type, body);
    assert.equal(answer.code, code, `${type}: ${JSON.stringify(answer.status)}`);
    assert.equal(answer.status.kind, "Status");
  }
});

test("what does not exist, exists already or changed meanwhile is 404, 409 and 409", async () => {
  assert.match((await cluster.try(["get", "pod", "nosuch"])).stderr, /\(NotFound\): pods "nosuch" not found/);
  assert.match(
    (await cluster.try(["get", "nosuchkind"])).stderr,
    /doesn't have a resource type "nosuchkind"/,
  );
  await cluster.kubectl(["create", "configmap", "once"]);
  assert.match(
    (await cluster.try(["create", "configmap", "once"])).stderr,
    /\(AlreadyExists\)|already exists/,
  );
  const stale = await cluster.get("configmap", "once");
  await cluster.kubectl(["label", "configmap", "once", "a=b"]);
  const conflict = await cluster.try(["replace", "-f", "-"], { input: JSON.stringify(stale) });
  assert.match(
    conflict.stderr,
    /the object has been modified; please apply your changes to the latest version and try again/,
  );
  assert.match(
    (await cluster.try(["create", "configmap", "x", "-n", "nosuch"])).stderr,
    /namespaces "nosuch" not found/,
  );
});

test("what a running pod may not change is refused", async () => {
  await cluster.apply(busyboxPod("fixed"));
  const change = await cluster.try([
    "patch",
    "pod",
    "fixed",
    "--type=json",
    "-p",
    '[{"op":"replace","path":"/spec/containers/0/command","value":["true"]}]',
  ]);
  assert.match(change.stderr, /spec: Forbidden: pod updates may not change fields other than/);
});

test("what is not supported yet is said, never silently ignored", async () => {
  const { stderr } = await cluster.try(["create", "-f", "-"], {
    input: JSON.stringify(
      busyboxPod("wants-iscsi", "", {
        volumes: [
          { name: "v", iscsi: { targetPortal: "127.0.0.1", iqn: "iqn.2001-04.com.example:x", lun: 0 } },
        ],
      }),
    ),
  });
  assert.match(stderr, /nodes of this cluster cannot mount iSCSI/);
});
