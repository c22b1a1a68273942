import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { busyboxPod, eventually, TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start();
  await cluster.kubectl([
    "create",
    "configmap",
    "settings",
    "--from-literal=colour=green",
    "--from-literal=size=10",
  ]);
  await cluster.kubectl(["create", "secret", "generic", "keys", "--from-literal=password=s3cret"]);
});
after(() => cluster?.purge());

test("an emptyDir is shared between the containers of a pod, and gone with it", async () => {
  const mount = [{ name: "shared", mountPath: "/data" }];
  await cluster.apply(
    busyboxPod("shares", "", {
      volumes: [
        { name: "shared", emptyDir: {} },
        { name: "memory", emptyDir: { medium: "Memory", sizeLimit: "8Mi" } },
      ],
      containers: [
        {
          name: "writer",
          image: "busybox",
          command: ["sh", "-c", "echo hello > /data/file; exec sleep 3600"],
          volumeMounts: mount,
        },
        {
          name: "reader",
          image: "busybox",
          command: ["sh", "-c", "until cat /data/file; do sleep 0.1; done; exec sleep 3600"],
          volumeMounts: [...mount, { name: "memory", mountPath: "/memory" }],
        },
      ],
    }),
  );
  await eventually("the reader saw it", async () =>
    (await cluster.kubectl(["logs", "shares", "-c", "reader"])).includes("hello"),
  );
  assert.match(
    await cluster.kubectl([
      "exec",
      "shares",
      "-c",
      "reader",
      "--",
      "sh",
      "-c",
      "grep ' /memory ' /proc/mounts",
    ]),
    /^tmpfs \/memory tmpfs rw.*size=8192k/,
  );
});

test("variables come from values, fields, resources, configMaps and secrets", async () => {
  await cluster.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "env", labels: { app: "env-test" } },
    spec: {
      restartPolicy: "Never",
      containers: [
        {
          name: "main",
          image: "busybox",
          command: ["sh", "-c", 'env; echo "$0"', "arg=$(GREETING) $$(ESCAPED)"],
          resources: { limits: { cpu: "1500m", memory: "64Mi" } },
          envFrom: [
            { prefix: "CM_", configMapRef: { name: "settings" } },
            { secretRef: { name: "missing", optional: true } },
          ],
          env: [
            { name: "NAME", value: "world" },
            { name: "GREETING", value: "hello $(NAME) $(MISSING) $$(NAME)" },
            { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
            { name: "POD_LABEL", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
            { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
            { name: "CPUS", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } },
            {
              name: "MEMORY_MI",
              valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } },
            },
            { name: "PASSWORD", valueFrom: { secretKeyRef: { name: "keys", key: "password" } } },
          ],
        },
      ],
    },
  });
  await cluster.wait("pod/env", "jsonpath={.status.phase}=Succeeded");
  const log = await cluster.kubectl(["logs", "env"]);
  const pod = await cluster.get("pod", "env");
  for (const line of [
    "CM_colour=green",
    "CM_size=10",
    "GREETING=hello world $(MISSING) $(NAME)",
    "POD_NAME=env",
    "POD_LABEL=env-test",
    `POD_IP=${pod.status.podIP}`,
    "CPUS=2",
    "MEMORY_MI=64",
    "PASSWORD=s3cret",
    "arg=hello world $(MISSING) $(NAME) $(ESCAPED)",
  ]) {
    assert.ok(log.split("\n").includes(line), `${line} in\n${log}`);
  }
});

test("a missing configMap holds a container back and says so; making it lets the container start", async () => {
  await cluster.apply(
    busyboxPod("waits-for-config", "", {
      containers: [
        {
          name: "main",
          image: "busybox",
          command: ["sleep", "3600"],
          env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "later", key: "a" } } }],
        },
      ],
    }),
  );
  await cluster.wait(
    "pod/waits-for-config",
    "jsonpath={.status.containerStatuses[0].state.waiting.reason}=CreateContainerConfigError",
  );
  assert.match(await cluster.kubectl(["describe", "pod", "waits-for-config"]), /configmap "later" not found/);
  await cluster.kubectl(["create", "configmap", "later", "--from-literal=a=b"]);
  await cluster.wait("pod/waits-for-config", "condition=Ready");
});

test("configMap and secret volumes have the modes asked for, and follow changes", async () => {
  await cluster.apply(
    busyboxPod("mounts", "", {
      volumes: [
        {
          name: "config",
          configMap: { name: "settings", items: [{ key: "colour", path: "deep/colour.txt", mode: 256 }] },
        },
        { name: "secret", secret: { secretName: "keys", defaultMode: 288 } },
        {
          name: "info",
          downwardAPI: { items: [{ path: "name", fieldRef: { fieldPath: "metadata.name" } }] },
        },
      ],
      containers: [
        {
          name: "main",
          image: "busybox",
          command: ["sleep", "3600"],
          volumeMounts: [
            { name: "config", mountPath: "/config" },
            { name: "secret", mountPath: "/secret", readOnly: true },
            { name: "info", mountPath: "/info" },
            { name: "config", mountPath: "/single", subPath: "deep/colour.txt" },
          ],
        },
      ],
    }),
  );
  await cluster.wait("pod/mounts", "condition=Ready");
  const sh = (script: string) => cluster.kubectl(["exec", "mounts", "--", "sh", "-c", script]);
  assert.equal(await sh("cat /config/deep/colour.txt /info/name /single"), "greenmountsgreen");
  assert.equal((await sh("stat -L -c %a /config/deep/colour.txt /secret/password")).trim(), "400\n440");
  assert.match(await sh("(echo x > /secret/password) 2>&1 || true"), /Read-only file system/);
  await cluster.kubectl([
    "patch",
    "configmap",
    "settings",
    "--type=merge",
    "-p",
    '{"data":{"colour":"blue"}}',
  ]);
  await eventually("the file follows", async () => (await sh("cat /config/deep/colour.txt")) === "blue");
  assert.equal(await sh("cat /single"), "green", "a subPath does not follow, as in Kubernetes");
});

test("the service account's token is mounted, and the API server takes it for that account", async () => {
  await cluster.apply(busyboxPod("with-token"));
  await cluster.wait("pod/with-token", "condition=Ready");
  const dir = "/var/run/secrets/kubernetes.io/serviceaccount";
  const read = (file: string) => cluster.kubectl(["exec", "with-token", "--", "cat", `${dir}/${file}`]);
  assert.equal(await read("namespace"), "default");
  assert.match(await read("ca.crt"), /^-----BEGIN CERTIFICATE-----/);
  const token = await read("token");
  const whoami = JSON.parse(
    await cluster.kubectl([
      "auth",
      "whoami",
      "-o",
      "json",
      "--kubeconfig=/dev/null",
      "--server",
      await server(),
      "--insecure-skip-tls-verify",
      "--token",
      token,
    ]),
  );
  assert.equal(whoami.status.userInfo.username, "system:serviceaccount:default:default");
  assert.deepEqual(whoami.status.userInfo.extra["authentication.kubernetes.io/pod-name"], ["with-token"]);
  const denied = await cluster.try([
    "get",
    "pods",
    "--kubeconfig=/dev/null",
    "--server",
    await server(),
    "--insecure-skip-tls-verify",
    "--token",
    token,
  ]);
  assert.match(
    denied.stderr,
    /User "system:serviceaccount:default:default" cannot list resource "pods" in API group "" in the namespace "default"/,
  );
});

async function server(): Promise<string> {
  return (await cluster.kubectl(["config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"])).trim();
}

test("users, groups, capabilities and a read-only root are as the security context says", async () => {
  await cluster.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "secured" },
    spec: {
      securityContext: { runAsUser: 1000, runAsGroup: 3000, fsGroup: 2000, supplementalGroups: [4000] },
      volumes: [{ name: "v", emptyDir: {} }],
      containers: [
        {
          name: "main",
          image: "busybox",
          command: ["sleep", "3600"],
          volumeMounts: [{ name: "v", mountPath: "/v" }],
          securityContext: {
            readOnlyRootFilesystem: true,
            seccompProfile: { type: "RuntimeDefault" },
            allowPrivilegeEscalation: false,
            capabilities: { drop: ["ALL"] },
          },
        },
      ],
    },
  });
  await cluster.wait("pod/secured", "condition=Ready");
  const sh = (script: string) => cluster.kubectl(["exec", "secured", "--", "sh", "-c", script]);
  assert.match(await sh("id"), /uid=1000 gid=3000 groups=.*2000.*4000|uid=1000 gid=3000 groups=.*4000.*2000/);
  assert.match(await sh("touch /file 2>&1 || true"), /Read-only file system/);
  await sh("touch /v/file");
  assert.equal((await sh("stat -c %g /v/file")).trim(), "2000");
  assert.match(
    await sh("grep -E 'NoNewPrivs|CapEff|Seccomp:' /proc/self/status"),
    /CapEff:\s*0+\nNoNewPrivs:\s*1\nSeccomp:\s*2/,
  );
});
