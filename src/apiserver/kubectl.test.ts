import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";
import type { NodeApi } from "../client/index.ts";
import { startTestCluster, type TestCluster } from "./testing/cluster.ts";
import { kubectlBinary, runKubectl } from "./testing/kubectl.suite.ts";

const pod = `
apiVersion: v1
kind: Pod
metadata:
  name: demo
  labels: {app: demo}
spec:
  containers:
  - name: nginx
    image: nginx
  - name: toolbox
    image: busybox
    command: ["sleep", "3600"]
`;

/** A node that repeats what it is asked, for the way there and back. */
const echoNode: NodeApi = {
  containerLogs: async (target, options) =>
    Readable.from([`log of ${target.container}, tail ${options.tailLines ?? "all"}\n`]),
  exec: async (target, options, streams) => {
    streams.stdout?.write(`${target.container}: ${options.command.join(" ")}\n`);
    streams.stdout?.end();
    streams.stderr?.end();
    return { exitCode: options.command[0] === "false" ? 3 : 0 };
  },
  attach: async () => {},
  portForward: () => Promise.reject(new Error("no port is open")),
  dialPod: () => Promise.reject(new Error("no port is open")),
  page: async ({ path }) => ({ code: 200, mediaType: "text/plain", body: Buffer.from(`page ${path}\n`) }),
};

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster({ nodes: { connect: async () => echoNode } });
});
after(() => cluster.close());

for (const version of ["path", "v28", "v31", "v35"] as const) {
  test(`kubectl ${version}: a day with a pod and a deployment`, async () => {
    const binary = kubectlBinary(version);
    const namespace = `day-${version}`;
    const kubectl = async (args: string, input?: string) =>
      runKubectl(binary, cluster.kubeconfigFile, ["-n", namespace, ...args.split(" ")], input);
    const ok = async (args: string, input?: string) => {
      const ran = await kubectl(args, input);
      assert.equal(ran.code, 0, `kubectl ${args}: ${ran.err}`);
      return ran.out;
    };
    await ok(`create namespace ${namespace}`);
    assert.match(await ok("apply -f -", pod), /pod\/demo created/);
    assert.match(await ok("apply -f -", pod), /pod\/demo unchanged/);
    assert.match(await ok("apply -f -", pod.replace("app: demo", "app: other")), /pod\/demo configured/);
    assert.match(
      await ok("get pods"),
      /^NAME +READY +STATUS +RESTARTS +AGE\ndemo +0\/2 +Pending +0 +\d+s\n$/,
    );
    assert.match(await ok("get pods -o wide"), /NOMINATED NODE +READINESS GATES/);
    assert.equal(await ok("get pod demo -o jsonpath={.spec.containers[*].name}"), "nginx toolbox");
    assert.match(await ok("describe pod demo"), /toolbox:/);
    assert.match(await ok("label pod demo tier=web"), /labeled/);
    assert.match(await ok("get pods -l tier=web --no-headers"), /^demo /);
    const typo = await kubectl("apply -f -", pod.replace("image: nginx", "imag: nginx"));
    assert.equal(typo.code, 1);
    assert.match(typo.err, /unknown field "spec\.containers\[0\]\.imag"/);
    assert.match(
      await ok("create deployment web --image=nginx --replicas=2"),
      /deployment.apps\/web created/,
    );
    assert.match(await ok("scale deployment web --replicas=4"), /scaled/);
    assert.match(await ok("get deploy web"), /web +0\/4/);
    assert.match(await ok("set image deployment/web nginx=nginx:2"), /image updated/);
    assert.match(await ok("explain deployment.spec.replicas"), /replicas <integer>/);
    assert.match(
      await ok("api-resources --api-group=apps"),
      /deployments +deploy +apps\/v1 +true +Deployment/,
    );
    assert.match(await ok("create configmap settings --from-literal=a=1 --dry-run=server"), /dry run/);
    assert.match(
      await ok("apply --server-side -f -", pod.replace("name: demo", "name: applied")),
      /serverside-applied/,
    );
    assert.match(await ok("diff -f -", pod.replace("app: demo", "app: other")), /^$/);
    assert.match(await ok("auth can-i delete pods"), /^yes/);
    assert.match(await ok("delete deployment web"), /deleted/);
    assert.match(await ok("delete pod demo applied --force --grace-period=0"), /deleted/);
    assert.match(
      (await kubectl("get pod demo")).err,
      /Error from server \(NotFound\): pods "demo" not found/,
    );
  });

  test(`kubectl ${version}: logs and exec reach the pod's node`, async () => {
    const name = `on-node-${version}`;
    const binary = kubectlBinary(version);
    const kubectl = (args: string, input?: string) =>
      runKubectl(binary, cluster.kubeconfigFile, args.split(" "), input);
    const text = pod.replace("name: demo", `name: ${name}`).replace("spec:", "spec:\n  nodeName: node-1");
    assert.equal((await kubectl("apply -f -", text)).code, 0);
    assert.equal((await kubectl(`logs ${name} -c toolbox --tail=5`)).out, "log of toolbox, tail 5\n");
    const exec = await kubectl(`exec ${name} -c toolbox -- echo hello there`);
    assert.equal(exec.out, "toolbox: echo hello there\n", exec.err);
    const failed = await kubectl(`exec ${name} -c toolbox -- false`);
    assert.equal(failed.code, 3);
    assert.match(
      (await kubectl(`exec ${name} -c nobody -- true`)).err,
      /container nobody is not valid for pod/,
    );
    assert.equal((await kubectl(`delete pod ${name} --force --grace-period=0`)).code, 0);
  });
}

test("kubectl get -w prints each change, and wait returns when it has come", async () => {
  const binary = kubectlBinary("path");
  const kubectl = (args: string, input?: string) =>
    runKubectl(binary, cluster.kubeconfigFile, args.split(" "), input);
  const watch = spawn(binary, ["get", "pods", "-w", "--no-headers", "-o", "name"], {
    // Without a home it keeps its cache where it is.
    env: { PATH: process.env["PATH"], HOME: cluster.dir, KUBECONFIG: cluster.kubeconfigFile },
  });
  try {
    const seen = (async () => {
      let text = "";
      for await (const chunk of watch.stdout) {
        text += chunk;
        if (text.split("\n").length > 2) return text;
      }
      return text;
    })();
    await kubectl("apply -f -", pod.replace("name: demo", "name: watched"));
    const waiting = kubectl("wait pod/watched --for=jsonpath={.metadata.labels.done}=yes --timeout=20s");
    await kubectl("label pod watched done=yes");
    assert.equal((await waiting).code, 0);
    assert.match(await seen, /^pod\/watched\npod\/watched\n/);
  } finally {
    watch.kill();
  }
  assert.equal((await kubectl("delete pod watched")).code, 0);
});
