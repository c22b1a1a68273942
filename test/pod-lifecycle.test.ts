import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { busyboxPod, eventually, TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start();
});
after(() => cluster?.purge());

const jsonpath = (pod: string, path: string) =>
  cluster.kubectl(["get", "pod", pod, "-o", `jsonpath={${path}}`]);

test("a pod that ends well is Succeeded, one that does not is Failed with its exit code", async () => {
  await cluster.apply(busyboxPod("ends-well", "exit 0", { restartPolicy: "Never" }));
  await cluster.apply(busyboxPod("ends-badly", "echo why >&2; exit 7", { restartPolicy: "Never" }));
  await cluster.wait("pod/ends-well", "jsonpath={.status.phase}=Succeeded");
  await cluster.wait("pod/ends-badly", "jsonpath={.status.phase}=Failed");
  const { state } = (await cluster.get("pod", "ends-badly")).status.containerStatuses[0];
  assert.equal(state.terminated.exitCode, 7);
  assert.equal(state.terminated.reason, "Error");
  assert.equal(await cluster.kubectl(["logs", "ends-badly"]), "why\n");
  const table = await cluster.kubectl(["get", "pods"]);
  assert.match(table, /ends-well +0\/1 +Completed/);
  assert.match(table, /ends-badly +0\/1 +Error/);
});

test("init containers run in order, are retried, and hold back the rest", async () => {
  const volume = { name: "shared", emptyDir: {} };
  const mount = [{ name: "shared", mountPath: "/shared" }];
  await cluster.apply(
    busyboxPod("with-init", "cat /shared/order; exec sleep 3600", {
      volumes: [volume],
      initContainers: [
        {
          name: "first",
          image: "busybox",
          // Fails once.
          command: [
            "sh",
            "-c",
            "test -e /shared/tried || { touch /shared/tried; exit 1; }; echo first >> /shared/order",
          ],
          volumeMounts: mount,
        },
        {
          name: "second",
          image: "busybox",
          command: ["sh", "-c", "echo second >> /shared/order"],
          volumeMounts: mount,
        },
      ],
      containers: [
        {
          name: "main",
          image: "busybox",
          command: ["sh", "-c", "cat /shared/order; exec sleep 3600"],
          volumeMounts: mount,
        },
      ],
    }),
  );
  await cluster.wait("pod/with-init", "condition=Ready");
  await eventually(
    "both ran, in order",
    async () => (await cluster.kubectl(["logs", "with-init", "-c", "main"])) === "first\nsecond\n",
  );
  const pod = await cluster.get("pod", "with-init");
  assert.equal(pod.status.initContainerStatuses[0].restartCount, 1);
  assert.equal(pod.status.initContainerStatuses[0].state.terminated.reason, "Completed");
});

test("an init container that never ends well keeps the pod in Init", async () => {
  await cluster.apply(
    busyboxPod("stuck-in-init", "exec sleep 3600", {
      initContainers: [{ name: "never", image: "busybox", command: ["false"] }],
    }),
  );
  await eventually("Init:CrashLoopBackOff or Init:Error", async () =>
    /0\/1 +Init:(CrashLoopBackOff|Error)/.test(await cluster.kubectl(["get", "pod", "stuck-in-init"])),
  );
  assert.equal(
    await jsonpath("stuck-in-init", ".status.containerStatuses[0].state.waiting.reason"),
    "PodInitializing",
  );
  assert.equal(await jsonpath("stuck-in-init", ".status.phase"), "Pending");
});

test("a sidecar starts before the main container, and does not hold up the pod's completion", async () => {
  await cluster.apply(
    busyboxPod("with-sidecar", "wget -qO- localhost:8080/ready && exit 0", {
      restartPolicy: "Never",
      initContainers: [
        {
          name: "sidecar",
          image: "busybox",
          restartPolicy: "Always",
          command: ["sh", "-c", "mkdir /www; echo sidecar > /www/ready; exec httpd -f -p 8080 -h /www"],
          startupProbe: { httpGet: { port: 8080, path: "/ready" }, periodSeconds: 1 },
        },
      ],
    }),
  );
  await cluster.wait("pod/with-sidecar", "jsonpath={.status.phase}=Succeeded");
  assert.equal(await cluster.kubectl(["logs", "with-sidecar", "-c", "main"]), "sidecar\n");
});

test("a container that keeps failing is restarted at once, then after a back-off", async () => {
  await cluster.apply(busyboxPod("crashes", "exit 3"));
  const waiting = await eventually("CrashLoopBackOff", async () => {
    const pod = await cluster.get("pod", "crashes");
    const status = pod.status.containerStatuses?.[0];
    return status?.state.waiting?.reason === "CrashLoopBackOff" && status;
  });
  assert.match(
    waiting.state.waiting.message,
    /^back-off 10s restarting failed container=main pod=crashes_default\(/,
  );
  assert.equal(waiting.restartCount, 1);
  assert.equal(waiting.lastState.terminated.exitCode, 3);
  assert.match(await cluster.kubectl(["get", "pod", "crashes"]), /0\/1 +CrashLoopBackOff +1 \(/);
});

test("OnFailure restarts what failed and leaves what succeeded", async () => {
  await cluster.apply(
    busyboxPod("on-failure", "", {
      restartPolicy: "OnFailure",
      volumes: [{ name: "v", emptyDir: {} }],
      containers: [
        {
          name: "main",
          image: "busybox",
          command: ["sh", "-c", "test -e /v/tried && exit 0; touch /v/tried; exit 1"],
          volumeMounts: [{ name: "v", mountPath: "/v" }],
        },
      ],
    }),
  );
  await cluster.wait("pod/on-failure", "jsonpath={.status.phase}=Succeeded");
  assert.equal(await jsonpath("on-failure", ".status.containerStatuses[0].restartCount"), "1");
});

test("a container past its memory limit is OOMKilled", async () => {
  await cluster.apply(
    busyboxPod("greedy", "", {
      restartPolicy: "Never",
      containers: [
        {
          name: "main",
          image: "busybox",
          command: ["sh", "-c", "exec dd if=/dev/zero of=/dev/null bs=64M count=1"],
          resources: { limits: { memory: "16Mi" } },
        },
      ],
    }),
  );
  await cluster.wait("pod/greedy", "jsonpath={.status.phase}=Failed");
  const { terminated } = (await cluster.get("pod", "greedy")).status.containerStatuses[0].state;
  assert.equal(terminated.reason, "OOMKilled");
  assert.equal(terminated.exitCode, 137);
});

test("limits are in the container's cgroup, and the class decides the rest", async () => {
  await cluster.apply(
    busyboxPod("limited", "", {
      containers: [
        {
          name: "main",
          image: "busybox",
          command: ["sleep", "3600"],
          resources: { requests: { cpu: "250m", memory: "32Mi" }, limits: { cpu: "500m", memory: "64Mi" } },
        },
      ],
    }),
  );
  await cluster.wait("pod/limited", "condition=Ready");
  assert.equal(await jsonpath("limited", ".status.qosClass"), "Burstable");
  const memory = await cluster.kubectl([
    "exec",
    "limited",
    "--",
    "sh",
    "-c",
    "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max",
  ]);
  assert.equal(memory.trim(), String(64 * 1024 * 1024));
});

test("a failing liveness probe restarts the container, a failing readiness probe only takes it out", async () => {
  await cluster.apply(
    busyboxPod("unhealthy", "", {
      containers: [
        {
          name: "main",
          image: "busybox",
          command: ["sh", "-c", "touch /tmp/alive /tmp/ready; exec sleep 3600"],
          // One failure is enough: neither the files' making nor a slow answer is to be one.
          startupProbe: { exec: { command: ["cat", "/tmp/ready"] }, periodSeconds: 1, failureThreshold: 30 },
          livenessProbe: {
            exec: { command: ["cat", "/tmp/alive"] },
            periodSeconds: 1,
            failureThreshold: 1,
            timeoutSeconds: 20,
          },
          readinessProbe: { exec: { command: ["cat", "/tmp/ready"] }, periodSeconds: 1, failureThreshold: 1 },
        },
      ],
    }),
  );
  await cluster.wait("pod/unhealthy", "condition=Ready");
  await cluster.kubectl(["exec", "unhealthy", "--", "rm", "/tmp/ready"]);
  await cluster.wait("pod/unhealthy", "condition=Ready=False");
  assert.equal(await jsonpath("unhealthy", ".status.containerStatuses[0].restartCount"), "0");
  await cluster.kubectl(["exec", "unhealthy", "--", "rm", "/tmp/alive"]);
  await cluster.wait("pod/unhealthy", "jsonpath={.status.containerStatuses[0].restartCount}=1");
  await cluster.wait("pod/unhealthy", "condition=Ready");
  await eventually("the events say why", async () => {
    const events = await cluster.kubectl(["describe", "pod", "unhealthy"]);
    assert.match(events, /Unhealthy .*Liveness probe failed: cat: can't open '\/tmp\/alive'/);
    assert.match(events, /Killing .*Container main failed liveness probe, will be restarted/);
    return true;
  });
});

test("a startup probe holds back the others until it succeeds", async () => {
  await cluster.apply(
    busyboxPod("slow-start", "", {
      containers: [
        {
          name: "main",
          image: "busybox",
          command: ["sh", "-c", "sleep 2; touch /tmp/started; exec sleep 3600"],
          startupProbe: {
            exec: { command: ["cat", "/tmp/started"] },
            periodSeconds: 1,
            failureThreshold: 30,
          },
          livenessProbe: {
            exec: { command: ["cat", "/tmp/started"] },
            periodSeconds: 1,
            failureThreshold: 1,
            // A slow answer is no failure.
            timeoutSeconds: 20,
          },
        },
      ],
    }),
  );
  await cluster.wait("pod/slow-start", "condition=Ready");
  const status = (await cluster.get("pod", "slow-start")).status.containerStatuses[0];
  assert.equal(status.restartCount, 0);
  assert.equal(status.started, true);
});

test("preStop runs inside the grace period, postStart before the container counts as running", async () => {
  await cluster.apply(
    busyboxPod("with-hooks", "", {
      terminationGracePeriodSeconds: 5,
      volumes: [{ name: "host", hostPath: { path: cluster.dataDir } }],
      containers: [
        {
          name: "main",
          image: "busybox",
          command: ["sh", "-c", "trap 'echo term >> /host/order; exit 0' TERM; while :; do sleep 0.1; done"],
          volumeMounts: [{ name: "host", mountPath: "/host" }],
          lifecycle: {
            postStart: { exec: { command: ["sh", "-c", "echo postStart >> /host/order"] } },
            preStop: { exec: { command: ["sh", "-c", "echo preStop >> /host/order"] } },
          },
        },
      ],
    }),
  );
  await cluster.wait("pod/with-hooks", "condition=Ready");
  await cluster.kubectl(["delete", "pod", "with-hooks"]);
  await cluster.apply(
    busyboxPod("reads-order", "cat /host/order", {
      restartPolicy: "Never",
      volumes: [{ name: "host", hostPath: { path: cluster.dataDir } }],
      containers: [
        {
          name: "main",
          image: "busybox",
          command: ["cat", "/host/order"],
          volumeMounts: [{ name: "host", mountPath: "/host" }],
        },
      ],
    }),
  );
  await cluster.wait("pod/reads-order", "jsonpath={.status.phase}=Succeeded");
  assert.equal(await cluster.kubectl(["logs", "reads-order"]), "postStart\npreStop\nterm\n");
});

test("a pod that ignores TERM is killed after its grace period; force deletes at once", async () => {
  const stubborn = "trap '' TERM; while :; do sleep 0.2; done";
  await cluster.apply(busyboxPod("stubborn", stubborn, { terminationGracePeriodSeconds: 2 }));
  await cluster.apply(busyboxPod("stubborn-forced", stubborn, { terminationGracePeriodSeconds: 600 }));
  await cluster.wait("pod/stubborn", "condition=Ready");
  await cluster.wait("pod/stubborn-forced", "condition=Ready");
  const startMs = performance.now();
  await cluster.kubectl(["delete", "pod", "stubborn"]);
  assert.ok(performance.now() - startMs >= 1_900, "it had its grace period");
  await cluster.kubectl(["delete", "pod", "stubborn-forced", "--force", "--grace-period=0"]);
  assert.equal((await cluster.try(["get", "pod", "stubborn-forced"])).exitCode, 1);
});

test("activeDeadlineSeconds ends a pod that takes too long", async () => {
  await cluster.apply(busyboxPod("too-slow", "exec sleep 3600", { activeDeadlineSeconds: 1 }));
  await cluster.wait("pod/too-slow", "jsonpath={.status.phase}=Failed");
  assert.equal(await jsonpath("too-slow", ".status.reason"), "DeadlineExceeded");
});

test("a command that does not exist is StartError with exit code 128", async () => {
  await cluster.apply(
    busyboxPod("no-command", "", {
      restartPolicy: "Never",
      containers: [{ name: "main", image: "busybox", command: ["/no/such/command"] }],
    }),
  );
  await cluster.wait("pod/no-command", "jsonpath={.status.phase}=Failed");
  const { terminated } = (await cluster.get("pod", "no-command")).status.containerStatuses[0].state;
  assert.equal(terminated.exitCode, 128);
  assert.match(terminated.message, /\/no\/such\/command.*[Nn]o such file or directory/);
  const shell = busyboxPod("no-command-in-shell", "nosuch", { restartPolicy: "Never" });
  await cluster.apply(shell);
  await cluster.wait(
    "pod/no-command-in-shell",
    "jsonpath={.status.containerStatuses[0].state.terminated.exitCode}=127",
  );
});

test("images that cannot be had: the reason says which kind of cannot", async () => {
  const withImage = (name: string, container: object) =>
    busyboxPod(name, "", { containers: [{ name: "main", ...container }] });
  await cluster.apply(withImage("no-image", { image: "nosuchimage:v1" }));
  await cluster.apply(withImage("bad-name", { image: "Not A Name" }));
  await cluster.apply(withImage("never-pulled", { image: "nginx:nosuchtag", imagePullPolicy: "Never" }));
  await cluster.wait(
    "pod/never-pulled",
    "jsonpath={.status.containerStatuses[0].state.waiting.reason}=ErrImageNeverPull",
  );
  await cluster.wait(
    "pod/bad-name",
    "jsonpath={.status.containerStatuses[0].state.waiting.reason}=InvalidImageName",
  );
  await eventually("ImagePullBackOff", async () => {
    const reason = await jsonpath("no-image", ".status.containerStatuses[0].state.waiting.reason");
    return ["ErrImagePull", "ImagePullBackOff"].includes(reason) && reason === "ImagePullBackOff";
  });
  await eventually("the events say why", async () => {
    const described = await cluster.kubectl(["describe", "pod", "no-image"]);
    assert.match(described, /Failed to pull image "nosuchimage:v1":/);
    assert.match(described, /Back-off pulling image "nosuchimage:v1"/);
    return true;
  });
});

test("an unschedulable pod says why, and is placed when something changes", async () => {
  await cluster.apply(busyboxPod("picky", "exec sleep 3600", { nodeSelector: { disk: "ssd" } }));
  await cluster.wait("pod/picky", "condition=PodScheduled=False");
  assert.match(
    await jsonpath("picky", '.status.conditions[?(@.type=="PodScheduled")].message'),
    /^0\/1 nodes are available: 1 node\(s\) didn't match Pod's node affinity\/selector/,
  );
  const [node] = (await cluster.get("nodes")).items;
  await cluster.kubectl(["label", "node", node.metadata.name, "disk=ssd"]);
  await cluster.wait("pod/picky", "condition=Ready");
});
