import assert from "node:assert/strict";
import { test } from "node:test";
import { errorsOf, podWith } from "../../../../kind.suite.ts";

const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const key =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const labelValue =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const required = "requiredDuringSchedulingIgnoredDuringExecution";
const preferred = "preferredDuringSchedulingIgnoredDuringExecution";
const nodeAffinity = "spec.affinity.nodeAffinity";

const cases: [what: string, spec: object, ...errors: string[]][] = [
  [
    "a DNS policy is known",
    { dnsPolicy: "Mine" },
    `spec.dnsPolicy: Unsupported value: "Mine": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"`,
  ],
  [
    "without a DNS policy there is a DNS configuration",
    { dnsPolicy: "None" },
    "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None",
  ],
  [
    "without a DNS policy there is a nameserver",
    { dnsPolicy: "None", dnsConfig: { searches: ["a.b"] } },
    "spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None",
  ],
  [
    "the resolver knows three nameservers",
    { dnsConfig: { nameservers: ["1.1.1.1", "1.1.1.2", "1.1.1.3", "010.0.0.1", "x"] } },
    `spec.dnsConfig.nameservers: Invalid value: ["1.1.1.1","1.1.1.2","1.1.1.3","010.0.0.1","x"]: must not have more than 3 nameservers`,
    `spec.dnsConfig.nameservers[3]: Invalid value: "010.0.0.1": must not have leading 0s`,
    `spec.dnsConfig.nameservers[4]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`,
  ],
  [
    "a search path may end in a dot and have underscores",
    { dnsConfig: { searches: [".", "_tcp.a.", "a_b.c"] } },
  ],
  [
    "a resolver's option has a name",
    { dnsConfig: { options: [{ value: "1" }] } },
    "spec.dnsConfig.options[0]: Required value: must not be empty",
  ],
  [
    "a host alias is an address with names",
    { hostAliases: [{ ip: "999.1.1.1", hostnames: ["a_b"] }, { ip: "::ffff:1.2.3.4" }] },
    `spec.hostAliases[0].ip: Invalid value: "999.1.1.1": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`,
    `spec.hostAliases[0].hostnames[0]: Invalid value: "a_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
    `spec.hostAliases[1].ip: Invalid value: "::ffff:1.2.3.4": must not be an IPv4-mapped IPv6 address`,
  ],
  ["a hostname is a label", { hostname: "A" }, `spec.hostname: Invalid value: "A": ${label}`],
  [
    "a subdomain is a label",
    { subdomain: "a.b" },
    `spec.subdomain: Invalid value: "a.b": must not contain dots`,
  ],
  [
    "a node's labels are labels",
    { nodeSelector: { "a b": "c d" } },
    `spec.nodeSelector: Invalid value: "a b": ${key}`,
    `spec.nodeSelector: Invalid value: "c d": ${labelValue}`,
  ],
  [
    "a deadline is positive",
    { activeDeadlineSeconds: 0 },
    "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive",
  ],
  [
    "processes are shared in the pod or with the host",
    { shareProcessNamespace: true, hostPID: true },
    "spec.securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled",
  ],
  [
    "a pod's groups are numbers, its policies known",
    {
      securityContext: {
        fsGroup: -1,
        supplementalGroups: [1, -2],
        fsGroupChangePolicy: "Never",
        supplementalGroupsPolicy: "None",
      },
    },
    "spec.securityContext.fsGroup: Invalid value: -1: must be between 0 and 2147483647, inclusive",
    "spec.securityContext.supplementalGroups[1]: Invalid value: -2: must be between 0 and 2147483647, inclusive",
    `spec.securityContext.fsGroupChangePolicy: Unsupported value: "Never": supported values: "Always", "OnRootMismatch"`,
    `spec.securityContext.supplementalGroupsPolicy: Unsupported value: "None": supported values: "Merge", "Strict"`,
  ],
  [
    "a sysctl has a name, and one value",
    {
      securityContext: {
        sysctls: [
          { name: "net.ipv4.ip_forward", value: "1" },
          { name: "net.ipv4.ip_forward", value: "0" },
          { name: "a..b", value: "" },
          { value: "" },
        ],
      },
    },
    `spec.securityContext.sysctls[1].name: Duplicate value: "net.ipv4.ip_forward"`,
    `spec.securityContext.sysctls[2].name: Invalid value: "a..b": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`,
    "spec.securityContext.sysctls[3].name: Required value",
  ],
  [
    "the host's sysctls are not the pod's",
    {
      hostNetwork: true,
      hostIPC: true,
      securityContext: {
        sysctls: [
          { name: "net/ipv4/tcp_syncookies", value: "1" },
          { name: "kernel.shmmax", value: "1" },
          { name: "vm.swappiness", value: "1" },
        ],
      },
    },
    `spec.securityContext.sysctls[0].name: Invalid value: "net/ipv4/tcp_syncookies": may not be specified when 'hostNetwork' is true`,
    `spec.securityContext.sysctls[1].name: Invalid value: "kernel.shmmax": may not be specified when 'hostIPC' is true`,
  ],
  [
    "tolerations make sense",
    {
      tolerations: [
        { operator: "Equal", value: "a" },
        { key: "k", operator: "Exists", value: "v" },
        { key: "k", operator: "Like" },
        { key: "k", operator: "Exists", effect: "NoSchedule", tolerationSeconds: 1 },
        { key: "k", effect: "Sometimes" },
        { key: "k", value: "a b" },
      ],
    },
    `spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when \`key\` is empty, which means "match all values and all keys"`,
    `spec.tolerations[1].operator: Invalid value: "v": value must be empty when \`operator\` is 'Exists'`,
    `spec.tolerations[2].operator: Unsupported value: "Like": supported values: "Equal", "Exists"`,
    `spec.tolerations[3].effect: Invalid value: "NoSchedule": effect must be 'NoExecute' when \`tolerationSeconds\` is set`,
    `spec.tolerations[4].effect: Unsupported value: "Sometimes": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"`,
    `spec.tolerations[5].operator: Invalid value: "a b": ${labelValue}`,
  ],
  [
    "a required node affinity has terms",
    { affinity: { nodeAffinity: { [required]: { nodeSelectorTerms: [] } } } },
    `${nodeAffinity}.${required}.nodeSelectorTerms: Required value: must have at least one node selector term`,
  ],
  [
    "a node affinity's requirements make sense",
    {
      affinity: {
        nodeAffinity: {
          [required]: {
            nodeSelectorTerms: [
              {
                matchExpressions: [
                  { key: "k", operator: "In" },
                  { key: "k", operator: "Exists", values: ["v"] },
                  { key: "k", operator: "Gt", values: [] },
                  { key: "k", operator: "Like", values: ["v"] },
                ],
                matchFields: [
                  { key: "metadata.name", operator: "In", values: ["a", "b"] },
                  { key: "metadata.uid", operator: "Exists" },
                ],
              },
            ],
          },
          [preferred]: [
            {
              weight: 101,
              preference: { matchExpressions: [{ key: "k", operator: "In", values: ["a b"] }] },
            },
          ],
        },
      },
    },
    ...[
      "matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      "matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      "matchExpressions[2].values: Required value: must be specified single value when `operator` is 'Lt' or 'Gt'",
      `matchExpressions[3].operator: Invalid value: "Like": not a valid selector operator`,
      "matchFields[0].values: Required value: must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
      `matchFields[1].operator: Invalid value: "Exists": not a valid selector operator`,
      `matchFields[1].key: Invalid value: "metadata.uid": not a valid field selector key`,
    ].map((error) => `${nodeAffinity}.${required}.nodeSelectorTerms[0].${error}`),
    `${nodeAffinity}.${preferred}[0].weight: Invalid value: 101: must be in the range 1-100`,
  ],
  [
    "an affinity between pods has a topology",
    {
      affinity: {
        podAffinity: { [required]: [{ matchLabelKeys: ["app"] }] },
        podAntiAffinity: {
          [preferred]: [
            {
              weight: 0,
              podAffinityTerm: {
                topologyKey: "zone",
                labelSelector: { matchExpressions: [{ key: "a", operator: "In" }] },
                namespaces: ["A"],
              },
            },
          ],
        },
      },
    },
    `spec.affinity.podAffinity.${required}[0].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set`,
    `spec.affinity.podAffinity.${required}[0].topologyKey: Required value: can not be empty`,
    `spec.affinity.podAffinity.${required}[0].topologyKey: Invalid value: "": name part must be non-empty`,
    `spec.affinity.podAffinity.${required}[0].topologyKey: Invalid value: "": ${key}`,
    `spec.affinity.podAntiAffinity.${preferred}[0].weight: Invalid value: 0: must be in the range 1-100`,
    `spec.affinity.podAntiAffinity.${preferred}[0].podAffinityTerm.labelSelector.matchExpressions[0].values: Required value: must be specified when \`operator\` is 'In' or 'NotIn'`,
    `spec.affinity.podAntiAffinity.${preferred}[0].podAffinityTerm.namespace: Invalid value: "A": ${label}`,
  ],
  [
    "a spread has a skew, a topology and an action",
    {
      topologySpreadConstraints: [
        { maxSkew: 0, topologyKey: "", whenUnsatisfiable: "Fail", labelSelector: {} },
        {
          maxSkew: 1,
          topologyKey: "zone",
          whenUnsatisfiable: "ScheduleAnyway",
          minDomains: 2,
          labelSelector: {},
        },
        { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway", labelSelector: {} },
      ],
    },
    "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
    "spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty",
    `spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "Fail": supported values: "DoNotSchedule", "ScheduleAnyway"`,
    `spec.topologySpreadConstraints[1].{topologyKey, whenUnsatisfiable}: Duplicate value: "{zone, ScheduleAnyway}"`,
    "spec.topologySpreadConstraints[1].minDomains: Invalid value: 2: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
  ],
  [
    "gates have different names",
    {
      schedulingGates: [{ name: "a" }, { name: "a" }, { name: "a b" }],
      readinessGates: [{ conditionType: "a b" }],
    },
    `spec.readinessGates[0].conditionType: Invalid value: "a b": ${key}`,
    `spec.schedulingGates[1]: Duplicate value: "a"`,
    `spec.schedulingGates[2]: Invalid value: "a b": ${key}`,
  ],
  [
    "a gated pod has no node yet",
    { schedulingGates: [{ name: "a" }], nodeName: "n" },
    "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
  ],
  [
    "ephemeral containers come later",
    { ephemeralContainers: [{ name: "debug", image: "busybox" }] },
    "spec.ephemeralContainers: Forbidden: cannot be set on create",
  ],
  [
    "an ephemeral container only looks",
    {
      ephemeralContainers: [
        {
          name: "main",
          image: "i",
          ports: [{ containerPort: 1 }],
          resources: { limits: { cpu: "1" } },
          targetContainerName: "gone",
        },
      ],
    },
    `spec.ephemeralContainers[0].name: Duplicate value: "main"`,
    `spec.ephemeralContainers[0].targetContainerName: Not found: "gone"`,
    "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container",
    "spec.ephemeralContainers[0].resources: Forbidden: cannot be set for an Ephemeral Container",
    "spec.ephemeralContainers: Forbidden: cannot be set on create",
  ],
  [
    "an overhead is an amount",
    { overhead: { cpu: "-1" } },
    `spec.overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0`,
  ],
  [
    "a preemption policy is known",
    { preemptionPolicy: "Always" },
    `spec.preemptionPolicy: Unsupported value: "Always": supported values: "PreemptLowerPriority", "Never"`,
  ],
  [
    "an OS is known",
    { os: { name: "plan9" } },
    `spec.os: Unsupported value: "plan9": supported values: "linux", "windows"`,
  ],
  [
    "a Linux pod has no options for Windows",
    { os: { name: "linux" }, securityContext: { windowsOptions: { runAsUserName: "a" } } },
    "spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod",
  ],
  [
    "a Windows pod has no options for Linux",
    { os: { name: "windows" }, securityContext: { runAsUser: 1 }, hostPID: true },
    "spec.securityContext.runAsUser: Forbidden: cannot be set for a windows pod",
    "spec.hostPID: Forbidden: cannot be set for a windows pod",
  ],
  [
    "a hostname is overridden where the pod has one",
    { hostnameOverride: "a", setHostnameAsFQDN: true, hostNetwork: true },
    "spec.hostnameOverride: Forbidden: may not be specified when setHostnameAsFQDN is true",
    "spec.hostnameOverride: Forbidden: may not be specified when hostNetwork is true",
  ],
  [
    "a claim of a device comes from somewhere",
    { resourceClaims: [{ name: "gpu" }] },
    'spec.resourceClaims[0]: Invalid value: {"name":"gpu"}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`',
    "spec.resourceClaims: Forbidden: dynamic resource allocation is not served yet",
  ],
];

for (const [what, spec, ...errors] of cases) {
  test(what, () => assert.deepEqual(errorsOf("Pod", podWith(spec)), errors));
}

const annotated: [what: string, annotations: object, spec: object, ...errors: string[]][] = [
  [
    "a mirror pod is on a node",
    { "kubernetes.io/config.mirror": "hash" },
    {},
    `metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "hash": must set spec.nodeName if mirror pod annotation is set`,
  ],
  [
    "a deletion cost is a number",
    { "controller.kubernetes.io/pod-deletion-cost": "+10" },
    {},
    `metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "+10": must be a 32bit integer`,
  ],
  [
    "an old seccomp annotation agrees with the field",
    { "seccomp.security.alpha.kubernetes.io/pod": "unconfined" },
    { securityContext: { seccompProfile: { type: "RuntimeDefault" } } },
    "spec.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation and field must match",
  ],
  [
    "an AppArmor annotation is about a container",
    { "container.apparmor.security.beta.kubernetes.io/gone": "complain" },
    {},
    `metadata.annotations[container.apparmor.security.beta.kubernetes.io/gone]: Invalid value: "gone": container not found`,
    `metadata.annotations[container.apparmor.security.beta.kubernetes.io/gone]: Invalid value: "complain": invalid AppArmor profile name: "complain"`,
  ],
];

for (const [what, annotations, spec, ...errors] of annotated) {
  test(what, () => assert.deepEqual(errorsOf("Pod", podWith(spec, { annotations })), errors));
}
