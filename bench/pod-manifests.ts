/** The pod of the demo. */
export const demoPod = (name: string, change: object = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name },
  spec: {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 1,
    containers: [
      { name: "nginx", image: "nginx", imagePullPolicy: "IfNotPresent" },
      { name: "toolbox", image: "busybox", imagePullPolicy: "IfNotPresent", command: ["sleep", "3600"] },
    ],
    ...change,
  },
});

/** One container that obeys TERM. */
export const onePod = (name: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, labels: { bench: "one" } },
  spec: {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: "main",
        image: "busybox",
        imagePullPolicy: "IfNotPresent",
        command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"],
      },
    ],
  },
});

/** In the order in which they start. */
export const fullPodContainers: readonly {
  name: string;
  image: string;
  command: string[];
  kind: "init" | "sidecar" | "main";
}[] = [
  { name: "first", image: "busybox", command: ["true"], kind: "init" },
  { name: "logger", image: "busybox", command: ["sleep", "3600"], kind: "sidecar" },
  { name: "second", image: "busybox", command: ["true"], kind: "init" },
  { name: "proxy", image: "busybox", command: ["sleep", "3600"], kind: "sidecar" },
  { name: "third", image: "busybox", command: ["true"], kind: "init" },
  { name: "web", image: "nginx", command: ["nginx", "-g", "daemon off;"], kind: "main" },
  { name: "tool", image: "busybox", command: ["sleep", "3600"], kind: "main" },
];

/** Each of another kind, and what stands for it by hand. */
export const fullPodVolumes = [
  { name: "disk", byHand: "folder", source: { emptyDir: {} } },
  { name: "memory", byHand: "memory", source: { emptyDir: { medium: "Memory" } } },
  { name: "config", byHand: "files", source: { configMap: { name: "full" } } },
  { name: "secret", byHand: "secret", source: { secret: { secretName: "full" } } },
  {
    name: "self",
    byHand: "files",
    source: { downwardAPI: { items: [{ path: "key", fieldRef: { fieldPath: "metadata.name" } }] } },
  },
  {
    name: "both",
    byHand: "secret",
    source: { projected: { sources: [{ configMap: { name: "full" } }, { secret: { name: "full" } }] } },
  },
] as const;

/** Three init containers, two sidecars, two containers and six volumes; it needs the objects {@link fullPodObjects}. */
export const fullPod = (name: string) => {
  const volumeMounts = fullPodVolumes.map((volume) => ({ name: volume.name, mountPath: `/${volume.name}` }));
  const containers = (kinds: string[]) =>
    fullPodContainers
      .filter(({ kind }) => kinds.includes(kind))
      .map(({ kind, ...container }) => ({
        ...container,
        ...(kind === "sidecar" && { restartPolicy: "Always" }),
        imagePullPolicy: "IfNotPresent",
        volumeMounts,
      }));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      initContainers: containers(["init", "sidecar"]),
      containers: containers(["main"]),
      volumes: fullPodVolumes.map(({ name, source }) => ({ name, ...source })),
    },
  };
};

export const fullPodObjects = [
  { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "full" }, data: { key: "value" } },
  { apiVersion: "v1", kind: "Secret", metadata: { name: "full" }, stringData: { key: "value" } },
];

/** A pod that no scheduler touches, of 1.8 KB as it is stored: 5,000 of them list as 9 MB. */
export const storedPod = (name: string, i = 0) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name,
    labels: { app: "bench", shard: `s${i % 5000}` },
  },
  spec: {
    schedulerName: "none",
    automountServiceAccountToken: false,
    containers: [
      {
        name: "main",
        image: "registry.example/team/application:v1.2.3",
        command: ["/app", "--listen=:8080", "--log=json"],
        resources: { requests: { cpu: "100m", memory: "64Mi" } },
      },
    ],
  },
});

/** Tells every change of a ConfigMap's `key`, in its log. */
export const readerPod = (name: string, configMap: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name },
  spec: {
    automountServiceAccountToken: false,
    containers: [
      {
        name: "main",
        image: "busybox",
        imagePullPolicy: "IfNotPresent",
        command: [
          "sh",
          "-c",
          'while :; do read now < /config/key; [ $now = "$last" ] || echo $now; last=$now; usleep 5000; done',
        ],
        volumeMounts: [{ name: "config", mountPath: "/config" }],
      },
    ],
    volumes: [{ name: "config", configMap: { name: configMap } }],
  },
});

/** Serves HTTP, and is asked every ten seconds whether it lives and is ready. */
export const probedPod = (name: string) => {
  const probe = { httpGet: { path: "/hosts", port: 80 }, periodSeconds: 10 };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      automountServiceAccountToken: false,
      containers: [
        {
          name: "main",
          image: "busybox",
          imagePullPolicy: "IfNotPresent",
          command: ["httpd", "-f", "-h", "/etc"],
          livenessProbe: probe,
          readinessProbe: probe,
        },
      ],
    },
  };
};
