import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { busyboxPod, eventually, peapod, TestCluster } from "./support/cluster.ts";
import { pushImage } from "./support/push-image.ts";

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start();
  await pushImage(cluster, {
    name: "kittens",
    layers: [
      "mkdir etc; echo 'Alpine Linux' > etc/os-release; echo old > data.json; echo gone > gone",
      // Over the first: one file changed, one taken away, and links that point out of the image.
      "echo kitten.jpg > data.json; touch .wh.gone; ln -s /etc root-link; ln -s ../../../../etc up-link",
    ],
  });
  await pushImage(cluster, {
    name: "tool",
    layers: ["printf '#!/bin/sh\\necho ran\\n' > run; chmod 755 run"],
  });
});
after(() => cluster?.purge());

const imagePod = (name: string, image: object, volumeMounts: object[]) =>
  busyboxPod(name, undefined, {
    volumes: [{ name: "vol", image }],
    containers: [{ name: "main", image: "busybox", command: ["sleep", "3600"], volumeMounts }],
  });

const waitingReason = async (pod: string) =>
  (await cluster.get("pod", pod)).status.containerStatuses?.[0].state.waiting?.reason;

const sh = (pod: string, script: string) => cluster.kubectl(["exec", pod, "--", "sh", "-c", script]);

test("an image is a volume: all its layers, whole or in part, to be read and not to be run or written", async () => {
  await cluster.apply(
    imagePod("reads", { reference: "kittens", pullPolicy: "Always" }, [
      { name: "vol", mountPath: "/whole" },
      { name: "vol", mountPath: "/part", subPath: "etc" },
      { name: "vol", mountPath: "/file", subPath: "data.json" },
      { name: "vol", mountPath: "/by-root-link", subPath: "root-link" },
      { name: "vol", mountPath: "/by-up-link", subPath: "up-link" },
    ]),
  );
  await cluster.wait("pod/reads", "condition=Ready");
  assert.equal(await sh("reads", "cat /whole/data.json /file"), "kitten.jpg\nkitten.jpg\n");
  // The links' targets are the image's own directories, not the host's.
  for (const path of ["/whole/etc", "/part", "/by-root-link", "/by-up-link"])
    assert.equal(await sh("reads", `ls ${path}; cat ${path}/os-release`), "os-release\nAlpine Linux\n");
  assert.match(await sh("reads", "ls /whole"), /^data\.json\netc\nroot-link\nup-link\n$/);
  assert.match(await sh("reads", "touch /whole/x 2>&1 || true"), /Read-only file system/);
  const { spec, status } = await cluster.get("pod", "reads");
  assert.equal(spec.volumes[0].image.pullPolicy, "Always");
  assert.equal(status.containerStatuses[0].volumeMounts[0].mountPath, "/whole");
});

test("programs of an image volume are not run from there", async () => {
  await cluster.apply(imagePod("runs-not", { reference: "tool" }, [{ name: "vol", mountPath: "/tool" }]));
  await cluster.wait("pod/runs-not", "condition=Ready");
  const direct = await cluster.try(["exec", "runs-not", "--", "/tool/run"]);
  assert.notEqual(direct.exitCode, 0);
  assert.match(await sh("runs-not", "/tool/run 2>&1 || true"), /Permission denied/);
  assert.equal(await sh("runs-not", "sh /tool/run"), "ran\n");
});

test("an image volume that is nowhere to be had, or a part that it lacks, is told as the container's state", async () => {
  const at = [{ name: "vol", mountPath: "/vol" }];
  await cluster.apply(imagePod("missing", { reference: "no-such-image" }, at));
  await cluster.apply(imagePod("unused", { reference: "no-such-image" }, []));
  await cluster.apply(imagePod("part", { reference: "kittens" }, [{ ...at[0], subPath: "not-existing" }]));
  await cluster.wait("pod/unused", "condition=Ready");
  assert.doesNotMatch(await sh("unused", "ls /"), /^vol$/m);
  await eventually("the back-off shows", async () => (await waitingReason("missing")) === "ImagePullBackOff");
  await eventually("it cannot be made", async () => (await waitingReason("part")) === "CreateContainerError");
  const described = await cluster.kubectl(["describe", "pod", "part"]);
  assert.match(described, /ImageVolumeMountFailed: sub path "not-existing" of the image mounted on "\/vol"/);
  // It comes, and the pod starts without anybody's doing.
  await pushImage(cluster, { name: "no-such-image", layers: ["echo here > now"] });
  await cluster.wait("pod/missing", "condition=Ready", 120);
  assert.equal(await sh("missing", "cat /vol/now"), "here\n");
});

test("a mounted image is not removed, outlives the agent, and leaves nothing when its pod goes", async () => {
  const removed = await peapod(["image", "rm", "kittens", "--data-dir", cluster.dataDir]);
  assert.notEqual(removed.exitCode, 0);
  assert.match(removed.stderr, /in use by a container/);
  await cluster.kill();
  await cluster.up();
  assert.equal(await sh("reads", "cat /whole/data.json"), "kitten.jpg\n");
  await cluster.kubectl(["delete", "pod", "--all"]);
  const mounted = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const left = mounted.filter((line) => /\/image-\d+ /.test(line) && line.includes(cluster.dataDir));
  assert.deepEqual(left, []);
  const { exitCode, stderr } = await peapod(["image", "rm", "kittens", "--data-dir", cluster.dataDir]);
  assert.equal(exitCode, 0, stderr);
});
