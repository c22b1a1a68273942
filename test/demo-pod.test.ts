import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start();
});
after(() => cluster?.purge());

const manifest = `apiVersion: v1
kind: Pod
metadata:
  name: multi-container-demo
spec:
  containers:
  - name: nginx
    image: nginx
  - name: toolbox
    image: busybox
    command: ["sleep", "3600"]
`;

test("two containers of a pod share one IP, localhost and one port space", async (t) => {
  await cluster.apply(manifest);
  await cluster.wait("pod/multi-container-demo", "condition=Ready");

  await t.test("get shows the pod as kubectl users know it", async () => {
    const [header, row] = (await cluster.kubectl(["get", "pods", "-o", "wide"])).split("\n");
    assert.match(header!, /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES$/);
    assert.match(
      row!,
      /^multi-container-demo +2\/2 +Running +0 +\d+s +10\.\d+\.\d+\.\d+ +\S+ +<none> +<none>$/,
    );
  });

  await t.test("nginx answers the toolbox on localhost", async () => {
    const wget = ["exec", "multi-container-demo", "-c", "toolbox", "--", "wget", "-qO-", "localhost"];
    // Without a probe it is Ready before it listens.
    const page = await eventually("an answer", () => cluster.kubectl(wget));
    assert.match(page, /Welcome to nginx!/);
  });

  await t.test("both containers see the pod's address and name", async () => {
    const pod = await cluster.get("pod", "multi-container-demo");
    for (const container of ["nginx", "toolbox"]) {
      const exec = (...command: string[]) =>
        cluster.kubectl(["exec", "multi-container-demo", "-c", container, "--", ...command]);
      assert.equal((await exec("hostname", "-i")).trim(), pod.status.podIP);
      assert.equal((await exec("hostname")).trim(), "multi-container-demo");
    }
  });

  await t.test("the container's log has the request", async () => {
    assert.match(
      await cluster.kubectl(["logs", "multi-container-demo", "-c", "nginx"]),
      /GET \/ HTTP\/1.1" 200/,
    );
  });

  await t.test("the image was pulled by name from a registry", async () => {
    const pod = await cluster.get("pod", "multi-container-demo");
    assert.equal(pod.spec.containers[0].imagePullPolicy, "Always");
    assert.match(pod.status.containerStatuses[0].imageID, /docker\.io\/library\/nginx@sha256:[0-9a-f]{64}$/);
    const events = await cluster.kubectl(["events", "--for", "pod/multi-container-demo"]);
    assert.match(events, /Successfully pulled image "nginx"/);
  });
});

test("a second container that binds a taken port fails, and the pod shows it", async () => {
  await cluster.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "port-clash" },
    spec: {
      restartPolicy: "Never",
      containers: [
        { name: "first", image: "nginx", readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1 } },
        {
          name: "second",
          image: "busybox",
          command: ["sh", "-c", "until wget -qO /dev/null localhost; do :; done; exec httpd -f -p 80"],
        },
      ],
    },
  });
  await cluster.wait("pod/port-clash", "jsonpath={.status.containerStatuses[1].state.terminated.exitCode}=1");
  assert.match(
    await cluster.kubectl(["logs", "port-clash", "-c", "second"]),
    /bind: Address (already )?in use/,
  );
  await eventually("the first container alone is ready", async () =>
    /1\/2 +Error/.test(await cluster.kubectl(["get", "pod", "port-clash"])),
  );
});
