import assert from "node:assert/strict";
import { test } from "node:test";
import { container, decodedPod } from "../../../kind.suite.ts";
import { podFeatures } from "./support.ts";
import { podWarnings } from "./warnings.ts";

const cases: [what: string, spec: object, annotations: object, ...warnings: string[]][] = [
  ["nothing is said of a plain pod", {}, {}],
  [
    "labels of nodes that are on their way out",
    { nodeSelector: { "beta.kubernetes.io/arch": "amd64" } },
    {},
    `spec.nodeSelector[beta.kubernetes.io/arch]: deprecated since v1.14; use "kubernetes.io/arch" instead`,
  ],
  [
    "a repeated variable",
    {
      containers: [
        container({
          env: [
            { name: "A", value: "1" },
            { name: "A", value: "$(A)2" },
            { name: "A", value: "3" },
          ],
        }),
      ],
    },
    {},
    `spec.containers[0].env[2]: hides previous definition of "A", which may be dropped when using apply`,
  ],
  [
    "ports in each other's way",
    {
      containers: [
        container({ ports: [{ name: "web", containerPort: 80 }] }),
        container({
          name: "other",
          ports: [
            { name: "web", containerPort: 80 },
            { containerPort: 80, hostPort: 8080 },
            { containerPort: 81, hostIP: "127.0.0.1" },
          ],
        }),
      ],
    },
    {},
    "spec.containers[1].ports[0]: duplicate port definition with spec.containers[0].ports[0]",
    "spec.containers[1].ports[1]: overlapping port definition with spec.containers[0].ports[0]",
    "spec.containers[1].ports[1]: overlapping port definition with spec.containers[1].ports[0]",
    `spec.containers[1].ports[2]: hostIP set without hostPort: {"containerPort":81,"hostIP":"127.0.0.1","protocol":"TCP"}`,
    `spec.containers[1].ports[0]: duplicate port name "web" with spec.containers[0].ports[0], services and probes that select ports by name will use spec.containers[0].ports[0]`,
  ],
  [
    "fractions of a byte",
    { containers: [container({ resources: { requests: { memory: "1500m" } } })] },
    {},
    `spec.containers[0].resources.requests[memory]: fractional byte value "1500m" is invalid, must be an integer`,
  ],
  [
    "repeated aliases and secrets",
    {
      hostAliases: [{ ip: "1.1.1.1" }, { ip: "1.1.1.1" }],
      imagePullSecrets: [{ name: "a" }, { name: "a" }, { name: "" }],
    },
    {},
    `spec.hostAliases[1].ip: duplicate ip "1.1.1.1"`,
    `spec.imagePullSecrets[1].name: duplicate name "a"`,
    `spec.imagePullSecrets[2].name: invalid empty name ""`,
  ],
  [
    "files in each other's way",
    {
      volumes: [
        {
          name: "v",
          configMap: {
            name: "c",
            items: [
              { key: "a", path: "dir" },
              { key: "b", path: "dir/file" },
            ],
          },
        },
      ],
    },
    {},
    `volume "v" (ConfigMap "c"): overlapping paths: "dir/file" with "dir"`,
  ],
  [
    "annotations without effect",
    {},
    {
      "seccomp.security.alpha.kubernetes.io/pod": "unconfined",
      "scheduler.alpha.kubernetes.io/critical-pod": "",
    },
    `metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the "priorityClassName" field instead`,
    `metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: non-functional in v1.27+; use the "seccompProfile" field instead`,
  ],
  [
    "an address that is written unusually",
    { dnsConfig: { nameservers: ["FD00:0:0::1"] } },
    {},
    `spec.dnsConfig.nameservers[0]: IPv6 address "FD00:0:0::1" should be in RFC 5952 canonical format ("fd00::1")`,
  ],
  [
    "what is not done here",
    { schedulingGroup: { podGroupName: "group" } },
    {},
    "spec.schedulingGroup: gang scheduling is not done; the pod is scheduled by itself",
  ],
  [
    "what no node can do",
    { os: { name: "windows" } },
    {},
    "spec.os: there are no Windows nodes; the node that is to run the pod fails it with PodOSNotSupported",
  ],
];

for (const [what, spec, annotations, ...warnings] of cases) {
  test(`a client is warned of ${what}`, () => {
    assert.deepEqual(podWarnings(decodedPod(spec, { annotations }), undefined), warnings);
  });
}

test("a name that makes no hostname is warned of", () => {
  assert.deepEqual(podWarnings(decodedPod({}, { name: "a.b" }), undefined), [
    "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]",
  ]);
});

test("a pod that is changed is not warned of", () => {
  const pod = decodedPod({ terminationGracePeriodSeconds: -1 });
  assert.deepEqual(podWarnings(pod, pod), []);
});

test("each feature of a pod has one row in the table", () => {
  const fields = podFeatures.map(({ field, support }) => `${field} ${support}`);
  assert.deepEqual(fields, [...new Set(fields)]);
});
