import assert from "node:assert/strict";
import { test } from "node:test";
import { decodedPod } from "../../../kind.suite.ts";
import { podStrategy } from "./strategy.ts";

const nginx = { name: "nginx", image: "nginx" };

test("a pod that says only its containers gets all the rest", () => {
  const { spec } = decodedPod({ containers: [nginx] });
  assert.deepEqual(spec, {
    containers: [
      {
        name: "nginx",
        image: "nginx",
        imagePullPolicy: "Always",
        resources: {},
        terminationMessagePath: "/dev/termination-log",
        terminationMessagePolicy: "File",
      },
    ],
    dnsPolicy: "ClusterFirst",
    enableServiceLinks: true,
    restartPolicy: "Always",
    schedulerName: "default-scheduler",
    securityContext: {},
    terminationGracePeriodSeconds: 30,
  });
});

for (const [image, policy] of [
  ["nginx", "Always"],
  ["nginx:latest", "Always"],
  ["nginx:1.27", "IfNotPresent"],
  ["localhost:5000/nginx", "Always"],
  ["localhost:5000/nginx:latest", "Always"],
  ["localhost:5000/nginx:1", "IfNotPresent"],
  [`nginx@sha256:${"a".repeat(64)}`, "IfNotPresent"],
  [`nginx:latest@sha256:${"a".repeat(64)}`, "Always"],
] as const) {
  test(`the image ${image.slice(0, 40)} is pulled ${policy}`, () => {
    const { spec } = decodedPod({
      containers: [{ name: "c", image }],
      initContainers: [{ name: "i", image }],
    });
    assert.equal(spec!.containers[0]!.imagePullPolicy, policy);
    assert.equal(spec!.initContainers![0]!.imagePullPolicy, policy);
  });
}

test("a limit without a request is the request, in a pod's own containers", () => {
  const resources = { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m" } };
  const { spec } = decodedPod({
    containers: [{ ...nginx, resources }],
    initContainers: [{ ...nginx, name: "init", resources }],
  });
  assert.deepEqual(spec!.containers[0]!.resources!.requests, { cpu: "500m", memory: "1Gi" });
  assert.deepEqual(spec!.initContainers![0]!.resources!.requests, { cpu: "500m", memory: "1Gi" });
});

test("amounts below a thousandth are rounded up", () => {
  const { spec } = decodedPod({
    containers: [{ ...nginx, resources: { requests: { cpu: "100u", memory: "1" } } }],
  });
  assert.deepEqual(spec!.containers[0]!.resources!.requests, { cpu: "1m", memory: "1" });
});

test("a pod's own requests come from its containers', then from its limits", () => {
  const { spec } = decodedPod({
    resources: { limits: { cpu: "2", memory: "1Gi" } },
    containers: [{ ...nginx, resources: { requests: { cpu: "300m" } } }],
  });
  assert.deepEqual(spec!.resources, {
    limits: { cpu: "2", memory: "1Gi" },
    requests: { cpu: "300m", memory: "1Gi" },
  });
});

test("probes and hooks get their numbers, path and scheme", () => {
  const { spec } = decodedPod({
    containers: [
      {
        ...nginx,
        livenessProbe: { httpGet: { port: 80 } },
        readinessProbe: { grpc: { port: 9000 }, periodSeconds: 3 },
        lifecycle: { preStop: { httpGet: { port: "http" } } },
      },
    ],
  });
  const { livenessProbe, readinessProbe, lifecycle } = spec!.containers[0]!;
  assert.deepEqual(livenessProbe, {
    httpGet: { port: 80, path: "/", scheme: "HTTP" },
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  });
  assert.equal(readinessProbe!.periodSeconds, 3);
  assert.equal(readinessProbe!.grpc!.service, "");
  assert.deepEqual(lifecycle!.preStop!.httpGet, { port: "http", path: "/", scheme: "HTTP" });
});

test("volumes get their modes, and one without a source is an emptyDir", () => {
  const { spec } = decodedPod({
    volumes: [
      { name: "scratch" },
      { name: "secret", secret: { secretName: "s" } },
      { name: "config", configMap: { name: "c", defaultMode: 0o600 } },
      { name: "down", downwardAPI: { items: [{ path: "name", fieldRef: { fieldPath: "metadata.name" } }] } },
      { name: "host", hostPath: { path: "/x" } },
      { name: "api", projected: { sources: [{ serviceAccountToken: { path: "token" } }] } },
    ],
  });
  assert.deepEqual(spec!.volumes, [
    { name: "scratch", emptyDir: {} },
    { name: "secret", secret: { secretName: "s", defaultMode: 420 } },
    { name: "config", configMap: { name: "c", defaultMode: 384 } },
    {
      name: "down",
      downwardAPI: {
        defaultMode: 420,
        items: [{ path: "name", fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } }],
      },
    },
    { name: "host", hostPath: { path: "/x", type: "" } },
    {
      name: "api",
      projected: {
        defaultMode: 420,
        sources: [{ serviceAccountToken: { path: "token", expirationSeconds: 3600 } }],
      },
    },
  ]);
});

test("ports are TCP, and in the host's network the host's own", () => {
  const { spec } = decodedPod({
    hostNetwork: true,
    containers: [{ ...nginx, ports: [{ containerPort: 80 }] }],
  });
  assert.deepEqual(spec!.containers[0]!.ports, [{ containerPort: 80, hostPort: 80, protocol: "TCP" }]);
});

test("serviceAccount is the old name of serviceAccountName", () => {
  const { spec } = decodedPod({ serviceAccount: "robot" });
  assert.equal(spec!.serviceAccountName, "robot");
  assert.equal(spec!.serviceAccount, "robot");
});

test("defaults are idempotent", () => {
  const pod = decodedPod({
    hostNetwork: true,
    resources: { limits: { cpu: "2" } },
    volumes: [{ name: "a" }, { name: "b", projected: { sources: [{ serviceAccountToken: { path: "t" } }] } }],
    containers: [
      {
        ...nginx,
        ports: [{ containerPort: 80 }],
        livenessProbe: { grpc: { port: 1 } },
        resources: { limits: { cpu: "1" } },
      },
    ],
  });
  const once = structuredClone(pod);
  podStrategy.applyDefaults!(pod);
  assert.deepEqual(pod, once);
});
