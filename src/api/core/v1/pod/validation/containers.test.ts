import assert from "node:assert/strict";
import { test } from "node:test";
import { container, errorsOf, podOf, podWith } from "../../../../kind.suite.ts";

const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const at = "spec.containers[0]";
const init = "spec.initContainers[0]";
const dataVolume = { volumes: [{ name: "data", emptyDir: {} }] };

/** What is wrong with a pod of one such container (and the rest of its spec). */
const cases: [what: string, pod: object, ...errors: string[]][] = [
  ["nothing is wrong with a plain container", podOf({})],
  ["a pod has containers", { spec: {} }, "spec.containers: Required value"],
  ["a container has a name", podOf({ name: "" }), `${at}.name: Required value`],
  ["a container's name is a DNS label", podOf({ name: "Web" }), `${at}.name: Invalid value: "Web": ${label}`],
  [
    "a container's name has no dots",
    podOf({ name: "a.b" }),
    `${at}.name: Invalid value: "a.b": must not contain dots`,
  ],
  [
    "a container's name has at most 63 characters",
    podOf({ name: "a".repeat(64) }),
    `${at}.name: Invalid value: "${"a".repeat(64)}": must be no more than 63 characters`,
  ],
  [
    "names of containers are unique",
    podWith({ containers: [container(), container()] }),
    `spec.containers[1].name: Duplicate value: "main"`,
  ],
  [
    "an init container's name differs from the containers'",
    podWith({ initContainers: [container()] }),
    `${init}.name: Duplicate value: "main"`,
  ],
  ["a container has an image", podOf({ image: "" }), `${at}.image: Required value`],
  [
    "a pod's image has no space around it",
    podOf({ image: " nginx" }),
    `${at}.image: Invalid value: " nginx": must not have leading or trailing whitespace`,
  ],
  [
    "the pull policy is one of three",
    podOf({ imagePullPolicy: "Sometimes" }),
    `${at}.imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"`,
  ],
  [
    "the termination message comes from the file or the log",
    podOf({ terminationMessagePolicy: "Guess" }),
    `${at}.terminationMessagePolicy: Unsupported value: "Guess": supported values: "File", "FallbackToLogsOnError"`,
  ],

  // Ports
  [
    "a port has a number",
    podOf({ ports: [{ name: "web" }] }),
    `${at}.ports[0].containerPort: Required value`,
  ],
  [
    "a port is below 65536",
    podOf({ ports: [{ containerPort: 65536, hostPort: -1 }] }),
    `${at}.ports[0].containerPort: Invalid value: 65536: must be between 1 and 65535, inclusive`,
    `${at}.ports[0].hostPort: Invalid value: -1: must be between 1 and 65535, inclusive`,
  ],
  [
    "a port's name is short and has a letter",
    podOf({
      ports: [
        { name: "a-very-long-name-1", containerPort: 1 },
        { name: "80", containerPort: 2 },
      ],
    }),
    `${at}.ports[0].name: Invalid value: "a-very-long-name-1": must be no more than 15 characters`,
    `${at}.ports[1].name: Invalid value: "80": must contain at least one letter (a-z)`,
  ],
  [
    "a container's ports have different names",
    podOf({
      ports: [
        { name: "web", containerPort: 1 },
        { name: "web", containerPort: 2 },
      ],
    }),
    `${at}.ports[1].name: Duplicate value: "web"`,
  ],
  [
    "a port's protocol is known",
    podOf({ ports: [{ containerPort: 1, protocol: "ICMP" }] }),
    `${at}.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"`,
  ],
  [
    "two containers cannot have the same port of the host",
    podWith({
      containers: [
        container({ ports: [{ containerPort: 1, hostPort: 80 }] }),
        container({
          name: "other",
          ports: [
            { containerPort: 2, hostPort: 80 },
            { containerPort: 2, hostPort: 80, protocol: "UDP" },
            { containerPort: 2, hostPort: 80, hostIP: "127.0.0.1" },
          ],
        }),
      ],
    }),
    `spec.containers[1].ports[0].hostPort: Duplicate value: "TCP//80"`,
  ],
  [
    "in the host's network a port is the host's",
    podOf({ ports: [{ containerPort: 80, hostPort: 81 }] }, { hostNetwork: true }),
    `${at}.ports[0].hostPort: Invalid value: 81: must match \`containerPort\` when \`hostNetwork\` is true`,
  ],

  // Environment
  ["a variable has a name", podOf({ env: [{ name: "" }] }), `${at}.env[0].name: Required value`],
  ["a variable's name may have dots, dashes and spaces", podOf({ env: [{ name: "1.a-b c" }] })],
  [
    "a variable's name has no '='",
    podOf({ env: [{ name: "a=b" }] }),
    `${at}.env[0].name: Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII characters other than '='`,
  ],
  [
    "a source of a variable is one of five",
    podOf({ env: [{ name: "A", valueFrom: {} }] }),
    `${at}.env[0].valueFrom: Invalid value: "": must specify one of: \`fieldRef\`, \`resourceFieldRef\`, \`configMapKeyRef\`, \`secretKeyRef\` or \`fileKeyRef\``,
  ],
  [
    "a variable has a value or a source",
    podOf({ env: [{ name: "A", value: "1", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }] }),
    `${at}.env[0].valueFrom: Invalid value: "": may not be specified when \`value\` is not empty`,
  ],
  [
    "a variable has one source",
    podOf({
      env: [
        {
          name: "A",
          valueFrom: { secretKeyRef: { name: "s", key: "k" }, configMapKeyRef: { name: "c", key: "k" } },
        },
      ],
    }),
    `${at}.env[0].valueFrom: Invalid value: "": may not have more than one field specified at a time`,
  ],
  [
    "a field of the pod that a variable can show is known",
    podOf({
      env: [
        { name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.whoops" } } },
        { name: "B", valueFrom: { fieldRef: { fieldPath: "status.phase" } } },
        { name: "C", valueFrom: { fieldRef: { fieldPath: "metadata.name['x']" } } },
        { name: "D", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
        { name: "E", valueFrom: { fieldRef: { apiVersion: "v2", fieldPath: "metadata.name" } } },
        { name: "F", valueFrom: { fieldRef: {} } },
      ],
    }),
    `${at}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "metadata.whoops": error converting fieldPath: field label not supported: metadata.whoops`,
    `${at}.env[1].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"`,
    `${at}.env[2].valueFrom.fieldRef.fieldPath: Invalid value: "metadata.name['x']": error converting fieldPath: field label does not support subscript: metadata.name['x']`,
    `${at}.env[4].valueFrom.fieldRef.fieldPath: Invalid value: "metadata.name": error converting fieldPath: unsupported pod version: v2`,
    `${at}.env[5].valueFrom.fieldRef.fieldPath: Required value`,
  ],
  [
    "a resource that a variable can show is known, its divisor too",
    podOf({
      env: [
        { name: "A", valueFrom: { resourceFieldRef: { resource: "limits.gpu" } } },
        { name: "B", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "1Ki" } } },
        { name: "C", valueFrom: { resourceFieldRef: { resource: "requests.memory", divisor: "1Mi" } } },
        { name: "D", valueFrom: { resourceFieldRef: { resource: "requests.hugepages-2Mi" } } },
      ],
    }),
    `${at}.env[0].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.gpu": supported values: "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"`,
    `${at}.env[1].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor's values 1m and 1 are supported with the cpu resource`,
  ],
  [
    "a key of a ConfigMap has a name and a key",
    podOf({ env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "c" } } }] }),
    `${at}.env[0].valueFrom.configMapKeyRef.key: Required value`,
  ],
  [
    "a file of variables lies in an emptyDir",
    podOf(
      {
        env: [
          { name: "A", valueFrom: { fileKeyRef: { volumeName: "gone", path: "env", key: "A" } } },
          { name: "B", valueFrom: { fileKeyRef: { volumeName: "host", path: "../env", key: "B" } } },
        ],
      },
      { volumes: [{ name: "host", hostPath: { path: "/" } }] },
    ),
    `${at}.env[1].valueFrom.fileKeyRef.path: Invalid value: "../env": must not contain '..'`,
    `${at}.env[0].valueFrom.fileKeyRef.volumeName: Not found: "gone"`,
    `${at}.env[1].valueFrom.fileKeyRef.volumeName: Invalid value: "host": referenced volume must be of type emptyDir`,
  ],
  [
    "variables come from a ConfigMap or a Secret",
    podOf({ envFrom: [{}, { prefix: "a=", secretRef: { name: "" } }] }),
    `${at}.envFrom: Invalid value: "": must specify one of: \`configMapRef\` or \`secretRef\``,
    `${at}.envFrom[1].prefix: Invalid value: "a=": a valid environment variable name must consist only of printable ASCII characters other than '='`,
    `${at}.envFrom[1].secretRef.name: Required value`,
  ],

  // Mounts
  [
    "a volume that is there can be mounted",
    podOf({ volumeMounts: [{ name: "data", mountPath: "/a" }] }, dataVolume),
  ],
  [
    "a mounted volume is there",
    podOf({ volumeMounts: [{ name: "data", mountPath: "/a" }] }),
    `${at}.volumeMounts[0].name: Not found: "data"`,
  ],
  [
    "a mount has a name and a path",
    podOf({ volumeMounts: [{ name: "", mountPath: "" }] }),
    `${at}.volumeMounts[0].name: Required value`,
    `${at}.volumeMounts[0].name: Not found: ""`,
    `${at}.volumeMounts[0].mountPath: Required value`,
  ],
  [
    "two mounts have different paths",
    podOf(
      {
        volumeMounts: [
          { name: "data", mountPath: "/a" },
          { name: "data", mountPath: "/a" },
        ],
      },
      dataVolume,
    ),
    `${at}.volumeMounts[1].mountPath: Invalid value: "/a": must be unique`,
  ],
  [
    "a subPath stays in its volume",
    podOf(
      {
        volumeMounts: [
          { name: "data", mountPath: "/a", subPath: "/etc" },
          { name: "data", mountPath: "/b", subPath: "a/../b" },
          { name: "data", mountPath: "/c", subPath: "a", subPathExpr: "b" },
        ],
      },
      dataVolume,
    ),
    `${at}.volumeMounts.subPath: Invalid value: "/etc": must be a relative path`,
    `${at}.volumeMounts.subPath: Invalid value: "a/../b": must not contain '..'`,
    `${at}.volumeMounts[2].subPathExpr: Invalid value: "b": subPathExpr and subPath are mutually exclusive`,
  ],
  [
    "mounts propagate to the host from privileged containers only",
    podOf(
      { volumeMounts: [{ name: "data", mountPath: "/a", mountPropagation: "Bidirectional" }] },
      dataVolume,
    ),
    `${at}.volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers`,
  ],
  [
    "a mount is recursively read-only when it is read-only",
    podOf({ volumeMounts: [{ name: "data", mountPath: "/a", recursiveReadOnly: "Enabled" }] }, dataVolume),
    `${at}.volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true`,
  ],

  // Resources
  [
    "a request is not above its limit",
    podOf({ resources: { requests: { cpu: "2" }, limits: { cpu: "1" } } }),
    `${at}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1`,
  ],
  [
    "an amount is not negative",
    podOf({ resources: { requests: { memory: "-1" } } }),
    `${at}.resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0`,
  ],
  [
    "a resource without a domain is one of Kubernetes'",
    podOf({ resources: { requests: { gpu: "1", storage: "1" } } }),
    `${at}.resources.requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified`,
    `${at}.resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers`,
    `${at}.resources.requests[storage]: Invalid value: "storage": must be a standard resource for containers`,
  ],
  [
    "a device comes whole, and its request is its limit",
    podOf({ resources: { requests: { "example.com/gpu": "500m" } } }),
    `${at}.resources.requests[example.com/gpu]: Invalid value: "500m": must be an integer`,
    `${at}.resources.limits: Required value: Limit must be set for non overcommitable resources`,
  ],
  [
    "huge pages come in pages, and not alone",
    podOf({ resources: { limits: { "hugepages-2Mi": "3Mi" } } }),
    `${at}.resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi`,
    `${at}.resources.requests[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi`,
    `${at}.resources: Forbidden: HugePages require cpu or memory`,
  ],
  [
    "a pod's own request covers its containers'",
    podOf(
      { resources: { requests: { cpu: "2" } } },
      { resources: { requests: { cpu: "1" }, limits: { cpu: "1" } } },
    ),
    `spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests of 2`,
  ],
  [
    "no container's limit is above the pod's",
    podOf(
      { resources: { limits: { memory: "2Gi" }, requests: { memory: "1Mi" } } },
      { resources: { limits: { memory: "1Gi" } } },
    ),
    `spec.resources.containers[0][memory].limits: Invalid value: "2Gi": must be less than or equal to pod limits of 1Gi`,
  ],
  [
    "a pod's own resources are cpu, memory and huge pages",
    podWith({ resources: { requests: { "ephemeral-storage": "1" } } }),
    `spec.resources.requests[ephemeral-storage]: Unsupported value: "ephemeral-storage": supported values: "cpu", "hugepages-", "memory"`,
  ],

  // Security
  [
    "users and groups have numbers",
    podOf({ securityContext: { runAsUser: -1, runAsGroup: 2 ** 31 } }),
    `${at}.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive`,
    `${at}.securityContext.runAsGroup: Invalid value: 2147483648: must be between 0 and 2147483647, inclusive`,
  ],
  [
    "what is privileged can escalate",
    podOf({ securityContext: { privileged: true, allowPrivilegeEscalation: false } }),
    `${at}.securityContext: Invalid value: {"privileged":true,"allowPrivilegeEscalation":false}: cannot set \`allowPrivilegeEscalation\` to false and \`privileged\` to true`,
  ],
  [
    "a seccomp profile of the node's has a name",
    podOf({ securityContext: { seccompProfile: { type: "Localhost" } } }),
    `${at}.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost`,
  ],
  [
    "a seccomp profile has a type",
    podOf({ securityContext: { seccompProfile: { type: "Strict" } } }),
    `${at}.securityContext.seccompProfile.type: Unsupported value: "Strict": supported values: "Localhost", "RuntimeDefault", "Unconfined"`,
  ],
  [
    "the whole of /proc is for user namespaces",
    podOf({ securityContext: { procMount: "Unmasked" } }),
    `${at}.securityContext.procMount: Invalid value: "Unmasked": \`hostUsers\` must be false to use \`Unmasked\``,
  ],

  [
    "all is said at once, in the order of the fields",
    podWith({
      volumes: [{ name: "Data" }],
      containers: [container({ name: "", image: "", ports: [{ containerPort: 0 }] })],
      restartPolicy: "Perhaps",
      nodeName: "no_node",
    }),
    `spec.volumes[0].name: Invalid value: "Data": ${label}`,
    `${at}.name: Required value`,
    `${at}.image: Required value`,
    `${at}.ports[0].containerPort: Required value`,
    `spec.restartPolicy: Unsupported value: "Perhaps": supported values: "Always", "OnFailure", "Never"`,
    `spec.nodeName: Invalid value: "no_node": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
  ],
];

for (const [what, pod, ...errors] of cases) {
  test(what, () => assert.deepEqual(errorsOf("Pod", pod), errors));
}
