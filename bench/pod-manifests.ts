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
