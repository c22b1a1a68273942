import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { busyboxPod, eventually, TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start(["--log-level", "info"]);
});
after(() => cluster?.purge());

const label = (namespace: string, ...labels: string[]) =>
  cluster.try([
    "label",
    "--overwrite",
    "namespace",
    namespace,
    ...labels.map((each) => `pod-security.kubernetes.io/${each}`),
  ]);

const create = (namespace: string, object: object) =>
  cluster.try(["create", "-n", namespace, "-f", "-"], { input: JSON.stringify(object) });

/** As upstream's documents have it. */
const hardened = (name: string) =>
  busyboxPod(name, "", {
    securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
    containers: [
      {
        name: "main",
        image: "busybox",
        command: ["sleep", "3600"],
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      },
    ],
  });

test("a restricted namespace takes a hardened pod, which runs, and no other", async () => {
  await cluster.kubectl(["create", "namespace", "strict"]);
  await label("strict", "enforce=restricted");
  const { exitCode, stderr } = await create("strict", busyboxPod("plain"));
  assert.equal(exitCode, 1);
  assert.match(
    stderr,
    /pods "plain" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false \(container "main" must set securityContext\.allowPrivilegeEscalation=false\), unrestricted capabilities /,
  );
  assert.equal((await create("strict", hardened("hard"))).exitCode, 0);
  await cluster.kubectl(["wait", "-n", "strict", "pod/hard", "--for=condition=Ready", "--timeout=60s"]);
});

test("a deployment is warned of, and its pods are refused with an event that says why", async () => {
  const { spec } = busyboxPod("x");
  const deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" } }, spec },
    },
  };
  const { exitCode, stderr } = await create("strict", deployment);
  assert.equal(exitCode, 0);
  assert.match(stderr, /Warning: would violate PodSecurity "restricted:latest": allowPrivilegeEscalation/);
  await eventually("the replica set's event", async () =>
    /FailedCreate .*pods "web-\S+" is forbidden: violates PodSecurity "restricted:latest"/.test(
      await cluster.kubectl(["events", "-n", "strict"]),
    ),
  );
});

test("a dry run of a stricter label says which pods would not be let in", async () => {
  await cluster.kubectl(["create", "namespace", "loose"]);
  const sharing = busyboxPod("sharing", "exec sleep 3600", { hostPID: true });
  assert.equal((await create("loose", sharing)).exitCode, 0);
  const args = ["label", "--dry-run=server", "--overwrite", "namespace", "--all"];
  const { stderr } = await cluster.try([...args, "pod-security.kubernetes.io/enforce=baseline"]);
  assert.match(
    stderr,
    /Warning: existing pods in namespace "loose" violate the new PodSecurity enforce level "baseline:latest"\nWarning: sharing: host namespaces\n/,
  );
  assert.equal(
    (await cluster.get("namespace", "loose")).metadata.labels["pod-security.kubernetes.io/enforce"],
    undefined,
  );
});

test("an unreadable label is refused; warn and audit let the pod in, say so, and note it in the log", async () => {
  const { stderr: why } = await label("loose", "warn=none");
  assert.match(
    why,
    /metadata\.labels\[pod-security\.kubernetes\.io\/warn\]: Invalid value: "none": must be one of/,
  );
  await label("loose", "warn=baseline", "audit=baseline");
  const { exitCode, stderr } = await create("loose", busyboxPod("noted", "exec sleep 1", { hostIPC: true }));
  assert.equal(exitCode, 0);
  assert.match(
    stderr,
    /Warning: would violate PodSecurity "baseline:latest": host namespaces \(hostIPC=true\)/,
  );
  const log = readFileSync(join(cluster.dataDir, "peapod.log"), "utf8");
  assert.match(log, /loose\/noted.*audit-violations.*would violate PodSecurity/);
});
