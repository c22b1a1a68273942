import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../../machinery/index.ts";
import { decoded, errorsOf, kindNamed, lines, updateErrorsOf } from "../../kind.suite.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const nowMs = Date.UTC(2026, 0, 1, 12);
const ago = (seconds: number) => new Date(nowMs - seconds * 1_000).toISOString().replace(/\.\d+Z$/, "Z");

/** Cells by column name. */
function cells(kindName: string, content: object): Record<string, unknown> {
  const object = decoded(kindName, content);
  return Object.fromEntries(
    kindNamed(kindName).columns.map((column) => [column.name, column.value(object, nowMs)]),
  );
}

function created(kindName: string, content: object): KubeObject {
  const object = decoded(kindName, content);
  kindNamed(kindName).strategy.prepareForCreate?.(object, nowMs);
  return object;
}

test("a new namespace is active, held by its finalizer and labelled with its name", () => {
  const { metadata, spec, status } = created("Namespace", {
    metadata: { name: "team" },
    status: { phase: "Gone" },
  });
  assert.deepEqual(metadata.labels, { "kubernetes.io/metadata.name": "team" });
  assert.deepEqual(spec, { finalizers: ["kubernetes"] });
  assert.deepEqual(status, { phase: "Active" });
});

test("an update leaves a namespace's finalizers alone", () => {
  const { strategy } = kindNamed("Namespace");
  const old = created("Namespace", {});
  const object = decoded<KubeObject>("Namespace", { spec: { finalizers: ["a/b"] } });
  strategy.prepareForUpdate!(object, old);
  assert.deepEqual(object.spec, { finalizers: ["kubernetes"] });
});

test("a namespace that is deleted is terminating until its finalizers are gone", () => {
  const { strategy } = kindNamed("Namespace");
  const object = created("Namespace", {});
  assert.equal(strategy.holdsDeletion!(object), true);
  strategy.prepareForDelete!(object);
  assert.equal(object.status.phase, "Terminating");
  delete object.spec.finalizers;
  assert.equal(strategy.holdsDeletion!(object), false);
});

test("a namespace is Terminating when it is deleted, else Active", () => {
  const { strategy } = kindNamed("Namespace");
  const object = decoded<KubeObject>("Namespace", { status: { phase: "Terminating" } });
  assert.deepEqual(lines(strategy.validateStatusUpdate!(object, object)), [
    `status.Phase: Invalid value: "Terminating": may only be 'Active' if \`deletionTimestamp\` is empty`,
  ]);
});

test("a namespace's name is a DNS label", () => {
  assert.deepEqual(kindNamed("Namespace").strategy.validateName!("a.b"), ["must not contain dots"]);
});

test("a finalizer of a namespace has a domain", () => {
  assert.deepEqual(errorsOf("Namespace", { spec: { finalizers: ["mine"] } }), [
    `spec.finalizers: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified`,
  ]);
});

test("a node shows its state, roles, version and place", () => {
  const node = {
    metadata: {
      creationTimestamp: ago(90),
      labels: { "node-role.kubernetes.io/worker": "", "kubernetes.io/role": "edge" },
    },
    spec: { unschedulable: true },
    status: {
      conditions: [{ type: "Ready", status: "True" }],
      addresses: [{ type: "InternalIP", address: "10.0.0.1" }],
      nodeInfo: {
        kubeletVersion: "v1.36.0",
        osImage: "Debian",
        kernelVersion: "6.1",
        architecture: "amd64",
        containerRuntimeVersion: "",
        machineID: "",
        systemUUID: "",
        bootID: "",
        kubeProxyVersion: "",
        operatingSystem: "linux",
      },
    },
  };
  assert.deepEqual(cells("Node", node), {
    Name: "x",
    Status: "Ready,SchedulingDisabled",
    Roles: "edge,worker",
    Age: "90s",
    Version: "v1.36.0",
    "Internal-IP": "10.0.0.1",
    "External-IP": "<none>",
    "OS-Image": "Debian",
    "Kernel-Version": "6.1 (amd64)",
    "Container-Runtime": "<unknown>",
  });
  assert.equal(cells("Node", {}).Status, "Unknown");
  assert.equal(
    cells("Node", { status: { conditions: [{ type: "Ready", status: "Unknown" }] } }).Status,
    "NotReady",
  );
});

test("a node's taints are unique, its ranges are ranges, its amounts amounts", () => {
  assert.deepEqual(
    errorsOf("Node", {
      spec: {
        taints: [
          { key: "a", effect: "NoSchedule" },
          { key: "a", effect: "NoSchedule", value: "b" },
          { key: "a", effect: "Never" },
        ],
        podCIDRs: ["10.0.0.1/24", "10.0.1.0/24"],
      },
      status: { capacity: { pods: "1500m", memory: "-1" }, allocatable: { pods: "1" } },
    }),
    [
      `metadata.taints[1]: Duplicate value: {"key":"a","effect":"NoSchedule","value":"b"}: taints must be unique by key and effect pair`,
      `metadata.taints[2].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"`,
      `status.capacity.pods: Invalid value: "1500m": must be an integer`,
      `status.capacity.memory: Invalid value: "-1": must be greater than or equal to 0`,
      `spec.podCIDRs[0]: Invalid value: "10.0.0.1/24": must not have bits set beyond the prefix length`,
      `spec.podCIDRs: Invalid value: ["10.0.0.1/24","10.0.1.0/24"]: may specify no more than one CIDR for each IP family`,
    ],
  );
});

test("a node's range and provider stay once they are set", () => {
  const node = { spec: { podCIDR: "10.0.0.0/24", providerID: "a" } };
  assert.deepEqual(updateErrorsOf("Node", {}, node), []);
  assert.deepEqual(updateErrorsOf("Node", node, { spec: { podCIDR: "10.0.1.0/24", providerID: "b" } }), [
    `spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid`,
    `spec.providerID: Forbidden: node updates may not change providerID except from "" to valid`,
  ]);
});

test("an event shows when, what and about what", () => {
  const about = {
    involvedObject: { kind: "Pod", name: "web", namespace: "default", fieldPath: "spec.containers{c}" },
  };
  assert.deepEqual(
    cells("Event", {
      ...about,
      reason: "Pulled",
      message: "pulled \n",
      type: "Normal",
      count: 3,
      firstTimestamp: ago(600),
      lastTimestamp: ago(5),
      source: { component: "kubelet", host: "n" },
    }),
    {
      "Last Seen": "5s",
      Type: "Normal",
      Reason: "Pulled",
      Object: "pod/web",
      Subobject: "spec.containers{c}",
      Source: "kubelet, n",
      Message: "pulled",
      "First Seen": "10m",
      Count: 3,
      Name: "x",
    },
  );
  const single = cells("Event", {
    ...about,
    eventTime: "2026-01-01T11:59:00.000000Z",
    reportingComponent: "c",
  });
  assert.equal(single["Last Seen"], "60s");
  assert.equal(single.Count, 1);
  assert.equal(single.Source, "c");
});

test("an event lies in the namespace of what it is about", () => {
  assert.deepEqual(errorsOf("Event", { involvedObject: { namespace: "other" } }), [
    `involvedObject.namespace: Invalid value: "other": does not match event.namespace`,
  ]);
  assert.deepEqual(errorsOf("Event", { involvedObject: { kind: "Node" } }), []);
});

test("an event in the newer form has a reporter", () => {
  assert.deepEqual(
    errorsOf("Event", {
      eventTime: "2026-01-01T00:00:00.000000Z",
      involvedObject: { namespace: "default" },
      reportingComponent: "c",
      action: "a",
      message: "m".repeat(1025),
    }),
    [
      "reportingInstance: Required value",
      "reason: Required value",
      `message: Invalid value: "": can have at most 1024 characters`,
    ],
  );
});

test("an event is kept for an hour", () => {
  assert.equal(kindNamed("Event").ttlS!({}), 3600);
});

test("keys of a ConfigMap become files", () => {
  assert.deepEqual(errorsOf("ConfigMap", { data: { "..": "", a: "1" }, binaryData: { a: base64("1") } }), [
    `data[..]: Invalid value: "..": must not be '..'`,
    `data[a]: Invalid value: "a": duplicate of key present in binaryData`,
  ]);
});

test("a ConfigMap holds a mebibyte", () => {
  assert.deepEqual(errorsOf("ConfigMap", { data: { a: "x".repeat(1024 * 1024) } }), []);
  assert.deepEqual(errorsOf("ConfigMap", { data: { a: "x".repeat(1024 * 1024), b: "x" } }), [
    ": Too long: may not be more than 1048576 bytes",
  ]);
});

test("an immutable ConfigMap stays as it is", () => {
  const fixed = { data: { a: "1" }, immutable: true };
  const detail = "Forbidden: field is immutable when `immutable` is set";
  assert.deepEqual(updateErrorsOf("ConfigMap", fixed, { ...fixed, metadata: { labels: { a: "b" } } }), []);
  assert.deepEqual(updateErrorsOf("ConfigMap", fixed, { data: { a: "2" } }), [
    `immutable: ${detail}`,
    `data: ${detail}`,
  ]);
});

test("stringData goes into a secret's data", () => {
  const secret = decoded<KubeObject>("Secret", {
    data: { a: base64("old") },
    stringData: { a: "new", b: "2" },
  });
  assert.deepEqual(secret.data, { a: base64("new"), b: base64("2") });
  assert.equal(secret.stringData, undefined);
  assert.equal(secret.type, "Opaque");
});

test("a secret has what its type asks for", () => {
  for (const [type, ...errors] of [
    ["kubernetes.io/tls", "data[tls.crt]: Required value", "data[tls.key]: Required value"],
    ["kubernetes.io/basic-auth", "data[username]: Required value", "data[password]: Required value"],
    ["kubernetes.io/ssh-auth", "data[ssh-privatekey]: Required value"],
    ["kubernetes.io/dockerconfigjson", "data[.dockerconfigjson]: Required value"],
    [
      "kubernetes.io/service-account-token",
      "metadata.annotations[kubernetes.io/service-account.name]: Required value",
    ],
    ["example.com/own"],
  ] as const) {
    assert.deepEqual(errorsOf("Secret", { type }), errors, type);
  }
});

test("what is wrong with a pull secret is said without its contents", () => {
  const [error] = errorsOf("Secret", {
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": base64("hunter2") },
  });
  assert.equal(error, `data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid JSON`);
});

test("a secret's type stays", () => {
  assert.deepEqual(updateErrorsOf("Secret", {}, { type: "a/b" }), [
    `type: Invalid value: "a/b": field is immutable`,
  ]);
});

test("a TLS secret with no certificate in it is warned of", () => {
  const secret = decoded<KubeObject>("Secret", {
    type: "kubernetes.io/tls",
    data: { "tls.crt": base64("x"), "tls.key": base64("y") },
  });
  assert.deepEqual(kindNamed("Secret").strategy.warnings!(secret, undefined), [
    "tls: failed to find any PEM data in certificate input",
  ]);
});

test("a service account names its secrets, no more", () => {
  const account = created("ServiceAccount", { secrets: [{ name: "a", namespace: "other" }] });
  assert.deepEqual(account.secrets, [{ name: "a" }]);
});

test("a lease lasts, and changes hands forwards", () => {
  assert.deepEqual(
    errorsOf("Lease", { spec: { leaseDurationSeconds: 0, leaseTransitions: -1, preferredHolder: "a" } }),
    [
      "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
      "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
      "spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined",
    ],
  );
});
