import assert from "node:assert/strict";
import { test } from "node:test";
import type { AdmissionRequest } from "../contract.ts";
import { cluster, pod, refused, resource } from "../plugins.suite.ts";
import { formatPolicy, policyOf } from "./policy.ts";

const prefix = "pod-security.kubernetes.io/";
const labelled = (labels: Record<string, string>) =>
  Object.fromEntries(Object.entries(labels).map(([key, value]) => [prefix + key, value]));

const withLabels = (labels: Record<string, string>, pods: Record<string, object> = {}) =>
  cluster({
    namespaces: {
      default: { metadata: { name: "default", labels: labelled(labels) }, status: { phase: "Active" } },
    },
    pods,
  });

/** What is said to the client, and noted for the audit. */
function heard() {
  const warnings: string[] = [];
  const notes: Record<string, string> = {};
  const listen: Partial<AdmissionRequest> = {
    warn: (message) => warnings.push(message),
    audit: (key, value) => {
      notes[key] = value;
    },
  };
  return { warnings, notes, listen };
}

test("labels set level and version of each mode; what is enforced is warned of by default", () => {
  const shown = (labels: Record<string, string>) => {
    const { policy, errors } = policyOf(labelled(labels));
    const { enforce, audit, warn } = policy;
    return [
      [enforce, audit, warn].map(formatPolicy).join(" "),
      ...errors.map(({ field, message }) => `${field}: ${message}`),
    ];
  };
  const table: [Record<string, string>, string[]][] = [
    [{}, ["privileged:latest privileged:latest privileged:latest"]],
    [{ enforce: "baseline" }, ["baseline:latest privileged:latest baseline:latest"]],
    [
      { enforce: "baseline", "enforce-version": "v1.30" },
      ["baseline:v1.30 privileged:latest baseline:v1.30"],
    ],
    [
      { enforce: "baseline", "enforce-version": "v1.30", "warn-version": "v1.5" },
      ["baseline:v1.30 privileged:latest baseline:v1.5"],
    ],
    [
      { enforce: "baseline", warn: "privileged", audit: "restricted", "audit-version": "latest" },
      ["baseline:latest restricted:latest privileged:latest"],
    ],
    [
      { enforce: "basic", "enforce-version": "1.30", audit: "x", warn: "y" },
      [
        "restricted:latest privileged:latest privileged:latest",
        'metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "basic": must be one of privileged, baseline, restricted',
        'metadata.labels[pod-security.kubernetes.io/enforce-version]: Invalid value: "1.30": must be "latest" or "v1.x"',
        'metadata.labels[pod-security.kubernetes.io/audit]: Invalid value: "x": must be one of privileged, baseline, restricted',
        'metadata.labels[pod-security.kubernetes.io/warn]: Invalid value: "y": must be one of privileged, baseline, restricted',
      ],
    ],
  ];
  for (const [labels, expected] of table) assert.deepEqual(shown(labels), expected);
});

test("a pod that asks for too much is forbidden, one that doesn't is let in, and no label lets in all", async () => {
  await refused(
    withLabels({ enforce: "baseline" }).admit({ object: pod({ hostPID: true }) }),
    403,
    /^pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces \(hostPID=true\)$/,
  );
  await withLabels({ enforce: "baseline" }).admit({ object: pod() });
  await cluster().admit({ object: pod({ hostPID: true }) });
});

test("a pod can be warned of and noted where it is not refused", async () => {
  const { warnings, notes, listen } = heard();
  const { admit } = withLabels({ warn: "baseline", audit: "restricted", "audit-version": "v1.20" });
  await admit({ object: pod({ hostPID: true }), ...listen });
  assert.deepEqual(warnings, ['would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)']);
  assert.equal(notes[`${prefix}enforce-policy`], "privileged:latest");
  assert.match(
    notes[`${prefix}audit-violations`]!,
    /^would violate PodSecurity "restricted:v1\.20": host namespaces/,
  );
});

test("a workload whose pods would be refused is warned of, and made", async () => {
  const { warnings, listen } = heard();
  const template = { spec: { containers: [{ name: "c", image: "i" }], hostNetwork: true } };
  const object = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d" }, spec: { template } };
  const { admit } = withLabels({ enforce: "baseline" });
  await admit({ object, ...resource("deployments", "apps"), ...listen });
  assert.deepEqual(warnings, [
    'would violate PodSecurity "baseline:latest": host namespaces (hostNetwork=true)',
  ]);
  const empty = { apiVersion: "v1", kind: "ReplicationController", metadata: { name: "r" }, spec: {} };
  await admit({ object: empty, ...resource("replicationcontrollers"), ...listen });
  assert.equal(warnings.length, 1);
});

test("of updates, other images and new ephemeral containers are judged, and nothing else", async () => {
  const { admit } = withLabels({ enforce: "baseline" });
  const old = pod({ hostPID: true, serviceAccountName: "default" });
  const update = (spec: object, more: Partial<AdmissionRequest> = {}) =>
    admit({
      operation: "UPDATE",
      old,
      object: pod({ hostPID: true, serviceAccountName: "default", ...spec }),
      name: "p",
      ...more,
    });
  await update({ activeDeadlineSeconds: 5 });
  await update({ containers: [{ name: "c", image: "other" }] }, { subresource: "status" });
  await refused(update({ containers: [{ name: "c", image: "other" }] }), 403, /violates PodSecurity/);
  await refused(
    update({ ephemeralContainers: [{ name: "e", image: "i" }] }, { subresource: "ephemeralcontainers" }),
    403,
    /violates PodSecurity/,
  );
});

test("a namespace's labels must be readable, unless they were unreadable before", async () => {
  const { admit } = cluster();
  const namespace = (labels: Record<string, string>) => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "n", labels: labelled(labels) },
  });
  const of = { kind: { group: "", version: "v1", kind: "Namespace" }, ...resource("namespaces"), name: "n" };
  await refused(
    admit({ ...of, object: namespace({ enforce: "none" }) }),
    422,
    /^Namespace "n" is invalid: metadata\.labels\[pod-security\.kubernetes\.io\/enforce\]: Invalid value: "none": must be one of/,
  );
  const update = { ...of, operation: "UPDATE" as const, old: namespace({ enforce: "none" }) };
  await admit({ ...update, object: namespace({ enforce: "none" }) });
  await refused(admit({ ...update, object: namespace({ enforce: "nothing" }) }), 422, /is invalid/);
});

test("who makes a namespace stricter is told which of its pods would not be let in", async () => {
  const running = (name: string, spec: object, owner?: string) => ({
    metadata: {
      name,
      ...(owner && {
        ownerReferences: [{ uid: owner, controller: true, apiVersion: "v1", kind: "X", name: "x" }],
      }),
    },
    spec: { containers: [{ name: "c", image: "i" }], ...spec },
  });
  const { admit } = withLabels(
    {},
    {
      "n/b": running("b", { hostPID: true }, "1"),
      "n/a": running("a", { hostPID: true }, "1"),
      "n/c": running("c", { hostNetwork: true }),
      "n/d": running("d", { hostPID: true }),
      "n/ok": running("ok", {}),
      "other/x": running("x", { hostPID: true }),
      "n/port": running("port", {
        containers: [{ name: "c", image: "i", ports: [{ containerPort: 1, hostPort: 1 }] }],
      }),
    },
  );
  const change = async (before: Record<string, string>, after: Record<string, string>) => {
    const { warnings, listen } = heard();
    const object = (labels: Record<string, string>) => ({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "n", labels: labelled(labels) },
    });
    const of = {
      kind: { group: "", version: "v1", kind: "Namespace" },
      ...resource("namespaces"),
      name: "n",
    };
    await admit({
      ...of,
      operation: "UPDATE",
      old: object(before),
      object: object(after),
      dryRun: true,
      ...listen,
    });
    return warnings;
  };
  assert.deepEqual(await change({}, { enforce: "baseline" }), [
    'existing pods in namespace "n" violate the new PodSecurity enforce level "baseline:latest"',
    "a (and 3 other pods): host namespaces",
    "port: hostPort",
  ]);
  assert.deepEqual(await change({ enforce: "restricted" }, { enforce: "baseline" }), []);
  assert.deepEqual(await change({ enforce: "baseline" }, { enforce: "baseline", warn: "restricted" }), []);
  assert.deepEqual(await change({ enforce: "baseline" }, { enforce: "privileged" }), []);
});
