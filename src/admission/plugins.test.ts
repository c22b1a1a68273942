import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
import type { KubeObject } from "../machinery/index.ts";
import type { AdmissionRequest } from "./contract.ts";
import { cluster, nodeUser, pod, refused, resource } from "./plugins.suite.ts";

test("a new pod gets the default account, its token, a priority and tolerations", async () => {
  const { spec } = await cluster().admit({ object: pod() });
  const volume = spec.volumes[0];
  assert.match(volume.name, /^kube-api-access-[a-z0-9]{5}$/);
  assert.deepEqual(spec, {
    containers: [
      {
        name: "c",
        image: "i",
        volumeMounts: [
          { name: volume.name, readOnly: true, mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" },
        ],
      },
    ],
    volumes: [
      {
        name: volume.name,
        projected: {
          defaultMode: 420,
          sources: [
            { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
            { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
            {
              downwardAPI: {
                items: [
                  { path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } },
                ],
              },
            },
          ],
        },
      },
    ],
    serviceAccountName: "default",
    serviceAccount: "default",
    priority: 0,
    preemptionPolicy: "PreemptLowerPriority",
    tolerations: ["not-ready", "unreachable"].map((key) => ({
      key: `node.kubernetes.io/${key}`,
      operator: "Exists",
      effect: "NoExecute",
      tolerationSeconds: 300,
    })),
  });
});

test("the token is mounted where nothing else is, in init containers too, and not at all where it is not wanted", async () => {
  const { admit, state } = cluster();
  const own = { name: "mine", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" };
  const some = await admit({
    object: pod({ initContainers: [{ name: "i" }], containers: [{ name: "c", volumeMounts: [own] }] }),
  });
  assert.equal(some.spec.initContainers[0].volumeMounts.length, 1);
  assert.deepEqual(some.spec.containers[0].volumeMounts, [own]);
  const none = await admit({ object: pod({ containers: [{ name: "c", volumeMounts: [own] }] }) });
  assert.equal(none.spec.volumes, undefined);
  const off = await admit({ object: pod({ automountServiceAccountToken: false }) });
  assert.equal(off.spec.volumes, undefined);
  state.accounts["default/quiet"] = { metadata: { name: "quiet" }, automountServiceAccountToken: false };
  const quiet = await admit({ object: pod({ serviceAccountName: "quiet" }) });
  assert.equal(quiet.spec.volumes, undefined);
  const loud = await admit({
    object: pod({ serviceAccountName: "quiet", automountServiceAccountToken: true }),
  });
  assert.equal(loud.spec.volumes.length, 1);
});

test("a pod gets its account's pull secrets, unless it names its own", async () => {
  const { admit } = cluster({
    accounts: {
      "default/default": { metadata: { name: "default" }, imagePullSecrets: [{ name: "registry" }] },
    },
  });
  assert.deepEqual((await admit({ object: pod() })).spec.imagePullSecrets, [{ name: "registry" }]);
  const named = await admit({ object: pod({ imagePullSecrets: [{ name: "own" }] }) });
  assert.deepEqual(named.spec.imagePullSecrets, [{ name: "own" }]);
});

test("a pod of an account that does not exist is refused", async () => {
  const { admit } = cluster();
  await refused(
    admit({ object: pod({ serviceAccountName: "ghost" }) }),
    403,
    /^pods "p" is forbidden: error looking up service account default\/ghost: serviceaccount "ghost" not found$/,
  );
});

test("the first pod of a new namespace waits for its default account, but not for ever", async () => {
  const { admit, state, clock } = cluster({ accounts: {} });
  const admitted = admit({ object: pod() });
  await clock.step(50);
  state.accounts["default/default"] = { metadata: { name: "default" } };
  await clock.step(50);
  assert.equal((await admitted).spec.serviceAccountName, "default");
  state.accounts = {};
  const waiting = refused(admit({ object: pod() }), 403, /error looking up service account/);
  await clock.step(2_000);
  await waiting;
});

test("an account may insist that its pods use only its secrets", async () => {
  const metadata = { name: "default", annotations: { "kubernetes.io/enforce-mountable-secrets": "true" } };
  const { admit } = cluster({ accounts: { "default/default": { metadata, secrets: [{ name: "ok" }] } } });
  const withSecret = (secretName: string) => pod({ volumes: [{ name: "v", secret: { secretName } }] });
  await admit({ object: withSecret("ok") });
  await refused(
    admit({ object: withSecret("other") }),
    403,
    /volume with secret\.secretName="other" is not allowed/,
  );
});

test("nothing is made in a namespace that is missing or terminating", async () => {
  const { admit } = cluster({
    namespaces: { going: { metadata: { name: "going" }, status: { phase: "Terminating" } } },
  });
  const missing = await refused(
    admit({ namespace: "nowhere", object: pod() }),
    404,
    /^namespaces "nowhere" not found$/,
  );
  assert.equal(missing.reason, "NotFound");
  const going = await refused(
    admit({ namespace: "going", object: pod() }),
    403,
    /^pods "p" is forbidden: unable to create new content in namespace going because it is being terminated$/,
  );
  assert.deepEqual(going.status.details?.causes, [
    {
      reason: "NamespaceTerminating",
      message: "namespace going is being terminated",
      field: "metadata.namespace",
    },
  ]);
  await admit({ operation: "DELETE", namespace: "going", name: "p" });
});

test("the namespaces that a cluster needs can't be deleted", async () => {
  const { admit } = cluster();
  const remove = (name: string) =>
    admit({ operation: "DELETE", ...resource("namespaces"), namespace: undefined, name });
  await refused(
    remove("kube-system"),
    403,
    /^namespaces "kube-system" is forbidden: this namespace may not be deleted$/,
  );
  await remove("mine");
});

test("a pod's own tolerations are kept", async () => {
  const own = {
    key: "node.kubernetes.io/not-ready",
    operator: "Exists",
    effect: "NoExecute",
    tolerationSeconds: 5,
  };
  const { spec } = await cluster().admit({ object: pod({ tolerations: [own] }) });
  assert.deepEqual(
    spec.tolerations.map((t: corev1.Toleration) => t.tolerationSeconds),
    [5, 300],
  );
  const all = await cluster().admit({ object: pod({ tolerations: [{ operator: "Exists" }] }) });
  assert.equal(all.spec.tolerations.length, 1);
});

const mirror = (spec: object = {}, owner: object = {}) =>
  pod(
    { nodeName: "n1", ...spec },
    {
      annotations: { "kubernetes.io/config.mirror": "x" },
      ownerReferences: [
        { apiVersion: "v1", kind: "Node", name: "n1", uid: "u1", controller: true, ...owner },
      ],
    },
  );
const node = (metadata: object = {}, spec: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "n1", ...metadata },
  spec,
});
const token = (name: string, uid: string) =>
  ({
    metadata: {},
    spec: { boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid } },
  }) as unknown as KubeObject;
const onNode = (nodeName: string, metadata: object = {}) => pod({ nodeName }, metadata);

const restriction: { name: string; request: Partial<AdmissionRequest>; refused?: RegExp }[] = [
  { name: "make a mirror pod of its own", request: { object: mirror() } },
  { name: "make an ordinary pod", request: { object: onNode("n1") }, refused: /can only create mirror pods/ },
  {
    name: "make a mirror pod of another node",
    request: { object: mirror({ nodeName: "n2" }) },
    refused: /spec\.nodeName set to itself/,
  },
  {
    name: "make a mirror pod of a former self",
    request: { object: mirror({}, { uid: "u0" }) },
    refused: /UID mismatch/,
  },
  {
    name: "make a mirror pod that reads a secret",
    request: { object: mirror({ volumes: [{ name: "v", secret: { secretName: "s" } }] }) },
    refused: /may not reference secrets|can not create pods that reference secrets/,
  },
  {
    name: "write the status of its pod",
    request: { operation: "UPDATE", subresource: "status", old: onNode("n1"), object: onNode("n1") },
  },
  {
    name: "write the status of another's pod",
    request: { operation: "UPDATE", subresource: "status", old: onNode("n2"), object: onNode("n2") },
    refused: /can only update pod status for pods with spec\.nodeName set to itself/,
  },
  {
    name: "change labels through the status",
    request: {
      operation: "UPDATE",
      subresource: "status",
      old: onNode("n1"),
      object: onNode("n1", { labels: { a: "b" } }),
    },
    refused: /cannot update labels through pod status/,
  },
  {
    name: "change a pod",
    request: { operation: "UPDATE", old: onNode("n1"), object: onNode("n1") },
    refused: /unexpected operation/,
  },
  { name: "delete its pod", request: { operation: "DELETE", name: "p", old: onNode("n1") } },
  {
    name: "delete another's pod",
    request: { operation: "DELETE", name: "p", old: onNode("n2") },
    refused: /can only delete pods/,
  },
  { name: "evict its pod", request: { subresource: "eviction", name: "mine", object: pod() } },
  {
    name: "evict another's pod",
    request: { subresource: "eviction", name: "other", object: pod() },
    refused: /can only evict pods/,
  },
  { name: "write itself", request: { ...resource("nodes"), namespace: undefined, object: node() } },
  {
    name: "write another node",
    request: { ...resource("nodes"), namespace: undefined, object: node({ name: "n2" }) },
    refused: /node "n1" is not allowed to modify node "n2"/,
  },
  {
    name: "give itself labels of its machine",
    request: {
      ...resource("nodes"),
      namespace: undefined,
      object: node({ labels: { "kubernetes.io/hostname": "n1", own: "x" } }),
    },
  },
  {
    name: "give itself a role",
    request: {
      ...resource("nodes"),
      namespace: undefined,
      object: node({ labels: { "node-role.kubernetes.io/control-plane": "" } }),
    },
    refused: /not allowed to set the following labels: node-role\.kubernetes\.io\/control-plane/,
  },
  {
    name: "drop a taint",
    request: {
      operation: "UPDATE",
      ...resource("nodes"),
      namespace: undefined,
      old: node({}, { taints: [{ key: "k" }] }),
      object: node(),
    },
    refused: /not allowed to modify taints/,
  },
  {
    name: "ask for a token of its pod",
    request: {
      ...resource("serviceaccounts"),
      subresource: "token",
      name: "default",
      object: token("mine", "p1"),
    },
  },
  {
    name: "ask for a token of another's pod",
    request: {
      ...resource("serviceaccounts"),
      subresource: "token",
      name: "default",
      object: token("other", "p2"),
    },
    refused: /bound to a pod scheduled on a different node/,
  },
  {
    name: "ask for a token of a pod that was made anew",
    request: {
      ...resource("serviceaccounts"),
      subresource: "token",
      name: "default",
      object: token("mine", "p0"),
    },
    refused: /does not match the UID in record/,
  },
  {
    name: "ask for a token bound to nothing",
    request: {
      ...resource("serviceaccounts"),
      subresource: "token",
      name: "default",
      object: { metadata: {}, spec: {} } as unknown as KubeObject,
    },
    refused: /not bound to a pod/,
  },
  {
    name: "write another's lease",
    request: {
      operation: "UPDATE",
      ...resource("leases", "coordination.k8s.io"),
      namespace: "kube-node-lease",
      name: "n2",
    },
    refused: /same name as the requesting node/,
  },
];
for (const { name, request, refused: why } of restriction) {
  test(`a node ${why ? "may not" : "may"} ${name}`, async () => {
    const { admit } = cluster();
    const admitted = admit({ ...request, user: nodeUser });
    if (why) await refused(admitted, 403, why);
    else await admitted;
  });
}
