/*
 * Objects to begin with: valid, and together with something of each part that a scheduler, a controller or a node's
 * agent reads. Containers that ask for a network ask loopback.
 */

type Draft = { kind: string; apiVersion: string; metadata?: object; [field: string]: unknown };

const container = (more: object = {}) => ({ name: "main", image: "busybox", ...more });
const pod = (spec: object, metadata: object = {}): Draft => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { labels: { app: "seed" }, ...metadata },
  spec: { terminationGracePeriodSeconds: 1, containers: [container()], ...spec },
});
const selector = {
  matchLabels: { app: "seed" },
  matchExpressions: [{ key: "tier", operator: "DoesNotExist" }],
};
const template = {
  metadata: { labels: { app: "seed" } },
  spec: { containers: [container()], terminationGracePeriodSeconds: 0 },
};
const sameHost = { labelSelector: selector, topologyKey: "kubernetes.io/hostname", namespaceSelector: {} };
const numbered = { key: "size", operator: "Gt", values: ["3"] };
const term = {
  matchExpressions: [numbered],
  matchFields: [{ key: "metadata.name", operator: "In", values: ["node-1"] }],
};

const pods: Draft[] = [
  pod({ nodeName: "node-1" }),
  pod({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] },
        preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 5, preference: term }],
      },
      podAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: sameHost }],
      },
      podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [sameHost] },
    },
  }),
  pod({
    tolerations: [
      { key: "size", operator: "Gt", value: "4", effect: "NoSchedule" },
      { key: "gone", operator: "Exists", effect: "NoExecute", tolerationSeconds: 1 },
    ],
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: "kubernetes.io/hostname",
        whenUnsatisfiable: "DoNotSchedule",
        labelSelector: selector,
        minDomains: 1,
        matchLabelKeys: ["app"],
      },
    ],
    nodeSelector: { size: "5" },
    priorityClassName: "system-node-critical",
    schedulingGates: [],
  }),
  pod({
    restartPolicy: "OnFailure",
    activeDeadlineSeconds: 20,
    initContainers: [container({ name: "init" }), container({ name: "side", restartPolicy: "Always" })],
    containers: [
      container({
        command: ["sh", "-c", "exit $(CODE)"],
        args: ["a"],
        env: [
          { name: "CODE", value: "1" },
          { name: "FROM", valueFrom: { configMapKeyRef: { name: "seed", key: "a", optional: true } } },
          { name: "SELF", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
          { name: "CPU", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "1m" } } },
        ],
        envFrom: [{ prefix: "P_", secretRef: { name: "seed", optional: true } }],
        ports: [{ name: "http", containerPort: 80, hostPort: 8080, hostIP: "127.0.0.1", protocol: "TCP" }],
        resources: {
          requests: { cpu: "10m", memory: "1Mi" },
          limits: { memory: "10Mi", "ephemeral-storage": "1Gi" },
        },
        resizePolicy: [{ resourceName: "cpu", restartPolicy: "NotRequired" }],
        restartPolicyRules: [{ action: "Restart", exitCodes: { operator: "In", values: [1] } }],
        restartPolicy: "Never",
      }),
    ],
  }),
  pod({
    containers: [
      container({
        livenessProbe: { exec: { command: ["true"] }, periodSeconds: 1 },
        readinessProbe: { tcpSocket: { host: "127.0.0.1", port: 1 }, timeoutSeconds: 1, failureThreshold: 2 },
        startupProbe: {
          httpGet: { host: "127.0.0.1", port: 1, path: "/", httpHeaders: [{ name: "A", value: "b" }] },
        },
        lifecycle: { postStart: { exec: { command: ["true"] } }, preStop: { sleep: { seconds: 1 } } },
        terminationMessagePath: "/dev/log",
        securityContext: {
          runAsUser: 1,
          capabilities: { add: ["NET_ADMIN"], drop: ["ALL"] },
          seccompProfile: { type: "RuntimeDefault" },
        },
      }),
    ],
    readinessGates: [{ conditionType: "example.com/ready" }],
    securityContext: {
      fsGroup: 5,
      supplementalGroups: [6],
      sysctls: [{ name: "net.ipv4.ip_forward", value: "1" }],
    },
    hostAliases: [{ ip: "127.0.0.1", hostnames: ["other"] }],
    dnsPolicy: "None",
    dnsConfig: { nameservers: ["127.0.0.1"], searches: ["a.b"], options: [{ name: "ndots", value: "2" }] },
    hostname: "seed",
    subdomain: "sub",
  }),
  pod({
    containers: [
      container({
        volumeMounts: ["empty", "map", "key", "self", "all", "claim", "picture"].map((name, i) => ({
          name,
          mountPath: `/v/${i}`,
          ...(name === "empty" && { subPathExpr: "$(NAME)", mountPropagation: "None" }),
        })),
        env: [{ name: "NAME", value: "sub" }],
      }),
    ],
    volumes: [
      { name: "empty", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
      {
        name: "map",
        configMap: { name: "seed", optional: true, items: [{ key: "a", path: "b/c", mode: 256 }] },
      },
      { name: "key", secret: { secretName: "seed", optional: true, defaultMode: 288 } },
      { name: "self", downwardAPI: { items: [{ path: "l", fieldRef: { fieldPath: "metadata.labels" } }] } },
      {
        name: "all",
        projected: {
          sources: [
            { serviceAccountToken: { path: "token", expirationSeconds: 600, audience: "a" } },
            { configMap: { name: "seed", optional: true } },
          ],
        },
      },
      {
        name: "claim",
        ephemeral: {
          volumeClaimTemplate: {
            spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Mi" } } },
          },
        },
      },
      { name: "picture", image: { reference: "busybox", pullPolicy: "IfNotPresent" } },
      { name: "drive", csi: { driver: "none.example.com", volumeAttributes: { a: "b" } } },
      { name: "bound", persistentVolumeClaim: { claimName: "seed", readOnly: true } },
    ],
  }),
];

const claimSpec = {
  accessModes: ["ReadWriteOnce"],
  resources: { requests: { storage: "1Mi" }, limits: { storage: "1Gi" } },
  storageClassName: "",
  selector,
  volumeMode: "Filesystem",
};

const others: Draft[] = [
  {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "seed" },
    data: { a: "b" },
    binaryData: { c: "YQ==" },
  },
  { apiVersion: "v1", kind: "Secret", metadata: { name: "seed" }, type: "Opaque", stringData: { a: "b" } },
  {
    apiVersion: "v1",
    kind: "ServiceAccount",
    secrets: [{ name: "seed" }],
    automountServiceAccountToken: false,
  },
  { apiVersion: "v1", kind: "PodTemplate", template },
  {
    apiVersion: "v1",
    kind: "ReplicationController",
    spec: { replicas: 1, selector: { app: "seed" }, template },
  },
  { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "seed" }, spec: claimSpec },
  {
    apiVersion: "v1",
    kind: "PersistentVolume",
    spec: {
      capacity: { storage: "2Mi" },
      accessModes: ["ReadWriteOnce"],
      persistentVolumeReclaimPolicy: "Retain",
      csi: { driver: "none.example.com", volumeHandle: "h" },
      nodeAffinity: { required: { nodeSelectorTerms: [term] } },
      claimRef: { namespace: "default", name: "seed" },
    },
  },
  {
    apiVersion: "v1",
    kind: "LimitRange",
    spec: {
      limits: [
        { type: "Container", default: { cpu: "1" }, max: { cpu: "2" }, maxLimitRequestRatio: { cpu: "9" } },
      ],
    },
  },
  {
    apiVersion: "v1",
    kind: "ResourceQuota",
    spec: {
      hard: { pods: "900", "requests.cpu": "100", "count/configmaps": "900" },
      scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: ["seed"] }] },
    },
  },
  {
    apiVersion: "v1",
    kind: "Event",
    involvedObject: { kind: "Pod", namespace: "default", name: "a" },
    reason: "A",
    message: "b",
    type: "Normal",
  },
  {
    apiVersion: "v1",
    kind: "Node",
    metadata: { labels: { "kubernetes.io/hostname": "other", size: "5" } },
    spec: { taints: [{ key: "size", value: "5", effect: "NoSchedule" }], podCIDR: "10.9.0.0/24" },
    status: {
      capacity: { cpu: "4", memory: "1Gi", pods: "110" },
      conditions: [{ type: "Ready", status: "True" }],
    },
  },
  {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { labels: { "pod-security.kubernetes.io/enforce": "baseline" } },
  },
  { apiVersion: "apps/v1", kind: "ReplicaSet", spec: { replicas: 1, selector, template } },
  {
    apiVersion: "apps/v1",
    kind: "Deployment",
    spec: {
      replicas: 1,
      selector,
      template,
      strategy: { rollingUpdate: { maxSurge: "50%", maxUnavailable: 0 } },
    },
  },
  {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    spec: { holderIdentity: "a", leaseDurationSeconds: 5 },
  },
  {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    eventTime: "2026-01-01T00:00:00.000000Z",
    reportingController: "a.b/c",
    reportingInstance: "d",
    action: "Do",
    reason: "A",
    type: "Normal",
    regarding: { namespace: "default", kind: "Pod", name: "a" },
  },
  {
    apiVersion: "node.k8s.io/v1",
    kind: "RuntimeClass",
    handler: "simulated",
    overhead: { podFixed: { cpu: "1m" } },
  },
  { apiVersion: "policy/v1", kind: "PodDisruptionBudget", spec: { minAvailable: "50%", selector } },
  { apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", value: 5, preemptionPolicy: "Never" },
  {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    provisioner: "none.example.com",
    volumeBindingMode: "WaitForFirstConsumer",
    allowedTopologies: [{ matchLabelExpressions: [{ key: "size", values: ["5"] }] }],
  },
  {
    apiVersion: "storage.k8s.io/v1",
    kind: "CSIDriver",
    spec: { attachRequired: true, podInfoOnMount: true },
  },
  {
    apiVersion: "storage.k8s.io/v1",
    kind: "CSINode",
    spec: {
      drivers: [{ name: "none.example.com", nodeID: "n", allocatable: { count: 1 }, topologyKeys: ["a"] }],
    },
  },
  {
    apiVersion: "storage.k8s.io/v1",
    kind: "VolumeAttachment",
    spec: { attacher: "none.example.com", nodeName: "node-1", source: { persistentVolumeName: "seed" } },
  },
  {
    apiVersion: "storage.k8s.io/v1",
    kind: "CSIStorageCapacity",
    storageClassName: "seed",
    capacity: "1Gi",
    nodeTopology: selector,
  },
  {
    apiVersion: "storage.k8s.io/v1",
    kind: "VolumeAttributesClass",
    driverName: "none.example.com",
    parameters: { a: "b" },
  },
];

/** Pods come up as often as everything else. */
export const seeds: readonly (readonly Draft[])[] = [pods, others];
