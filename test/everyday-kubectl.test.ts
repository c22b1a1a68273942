import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start();
});
after(() => cluster?.purge());

test("auth can-i --list shows the administrator's and an account's rules", async () => {
  assert.match(await cluster.kubectl(["auth", "can-i", "--list"]), /^\*\.\*\s+\[\]\s+\[\]\s+\[\*\]/m);
  const account = ["--as=system:serviceaccount:default:default", "--as-group=system:authenticated"];
  const list = await cluster.kubectl(["auth", "can-i", "--list", ...account]);
  assert.match(list, /selfsubjectreviews\.authentication\.k8s\.io/);
  assert.doesNotMatch(list, /^\*\.\*/m);
});
