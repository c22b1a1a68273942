import assert from "node:assert/strict";
import { test } from "node:test";
import { serviceAccountUser } from "./authenticator.ts";
import { createAuthorizer } from "./authorizer.ts";
import { type Attributes, anonymous, type UserInfo } from "./contract.ts";
import { rulesFromBindings } from "./rbac.ts";
import { type PolicyRule, ruleAllows } from "./rules.ts";

const user = (name: string, ...groups: string[]): UserInfo => ({
  name,
  groups: [...groups, "system:authenticated"],
});
const admin = user("kubernetes-admin", "system:masters");
const scheduler = user("system:kube-scheduler");
const node = user("system:node:n1", "system:nodes");
const account = serviceAccountUser({ namespace: "default", serviceAccount: { name: "default" } });
const controller = (name: string) =>
  serviceAccountUser({ namespace: "kube-system", serviceAccount: { name } });

/** `VERB RESOURCE[.GROUP][/SUBRESOURCE] [NAMESPACE/]NAME`, or `VERB /path`. */
function request(who: UserInfo, text: string, fieldSelector?: string): Attributes {
  const [verb = "", what = "", object = ""] = text.split(" ");
  if (what.startsWith("/")) return { user: who, verb, path: what };
  const [whole = "", subresource] = what.split("/");
  const dot = whole.indexOf(".");
  const [namespace, name] = object.includes("/") ? object.split("/") : [undefined, object];
  return {
    user: who,
    verb,
    group: dot < 0 ? "" : whole.slice(dot + 1),
    version: "v1",
    resource: dot < 0 ? whole : whole.slice(0, dot),
    ...(subresource && { subresource }),
    ...(namespace && { namespace }),
    ...(name && { name }),
    ...(fieldSelector && { fieldSelector }),
  };
}

const related = new Set([
  "n1 pods default/p",
  "n1 secrets default/s",
  "n1 configmaps default/kube-root-ca.crt",
  "n1 serviceaccounts default/default",
]);
const authorizer = createAuthorizer({
  isRelatedToNode: (nodeName, resource, namespace, name) =>
    related.has(`${nodeName} ${resource} ${namespace}/${name}`),
});

const table: [UserInfo, string, boolean, string?][] = [
  [admin, "delete nodes n1", true],
  [admin, "get /metrics", true],
  [anonymous, "get /healthz", true],
  [anonymous, "get /version", true],
  [anonymous, "get /api", false],
  [anonymous, "get /metrics", false],
  [anonymous, "list pods default/", false],
  [account, "get /apis/apps/v1", true],
  [account, "get /openapi/v3", true],
  [account, "get /metrics", false],
  [account, "get /openid/v1/jwks", true],
  [account, "list pods default/", false],
  [account, "create selfsubjectaccessreviews.authorization.k8s.io", true],
  [account, "create subjectaccessreviews.authorization.k8s.io", false],
  [user("someone"), "get /openid/v1/jwks", false],
  [scheduler, "watch pods", true],
  [scheduler, "create pods/binding default/p", true],
  [scheduler, "patch pods/status default/p", true],
  [scheduler, "create pods default/p", false],
  [scheduler, "get secrets default/s", false],
  [scheduler, "update leases.coordination.k8s.io kube-system/kube-scheduler", true],
  [scheduler, "update leases.coordination.k8s.io kube-system/other", false],
  [user("system:kube-controller-manager"), "watch deployments.apps", true],
  [user("system:kube-controller-manager"), "create pods default/p", false],
  [controller("replicaset-controller"), "create pods default/p", true],
  [controller("replicaset-controller"), "update replicasets.apps/status default/r", true],
  [controller("replicaset-controller"), "update deployments.apps/status default/d", false],
  [controller("deployment-controller"), "create replicasets.apps default/r", true],
  [controller("generic-garbage-collector"), "delete anything.example.com x/y", true],
  [controller("namespace-controller"), "deletecollection pods default/", true],
  [controller("namespace-controller"), "update namespaces/finalize default/default", true],
  [controller("service-account-controller"), "create serviceaccounts default/default", true],
  [
    serviceAccountUser({ namespace: "default", serviceAccount: { name: "replicaset-controller" } }),
    "create pods default/p",
    false,
  ],
  [node, "create nodes n1", true],
  [node, "patch nodes/status n1", true],
  [node, "get nodes n1", true],
  [node, "get nodes n2", false],
  [node, "list nodes", false],
  [node, "delete nodes n1", false],
  [node, "list pods", false],
  [node, "list pods", true, "spec.nodeName=n1"],
  [node, "watch pods", true, "status.phase!=Failed,spec.nodeName==n1"],
  [node, "watch pods", false, "spec.nodeName=n2"],
  [node, "watch pods", false, "spec.nodeName!=n1"],
  [node, "get pods default/p", true],
  [node, "get pods default/other", false],
  [node, "patch pods/status default/p", true],
  [node, "patch pods default/p", false],
  [node, "create pods/exec default/p", false],
  [node, "get secrets default/s", true],
  [node, "watch secrets default/s", true],
  [node, "get secrets default/other", false],
  [node, "list secrets", false],
  [node, "update secrets default/s", false],
  [node, "get configmaps default/kube-root-ca.crt", true],
  [node, "create serviceaccounts/token default/default", true],
  [node, "create serviceaccounts/token default/other", false],
  [node, "update leases.coordination.k8s.io kube-node-lease/n1", true],
  [node, "update leases.coordination.k8s.io kube-node-lease/n2", false],
  [node, "create leases.coordination.k8s.io default/x", false],
  [node, "create events default/e", true],
  [node, "list services", true],
  [node, "get /healthz", true],
  [user("system:node:n1"), "get secrets default/s", false],
  [user("system:node:n2", "system:nodes"), "get secrets default/s", false],
];
for (const [who, text, allowed, fieldSelector] of table) {
  const what = fieldSelector ? `${text} with ${fieldSelector}` : text;
  test(`${who.name} ${allowed ? "may" : "may not"} ${what}`, async () => {
    const decision = await authorizer.authorize(request(who, text, fieldSelector));
    assert.equal(decision.allowed, allowed);
  });
}

test("a node is told what is missing", async () => {
  const { why } = await authorizer.authorize(request(node, "get secrets default/other"));
  assert.equal(why, "no relationship found between node 'n1' and this object");
});

test("roles bound in a namespace hold there only, and to users, groups and accounts", async () => {
  const rules: PolicyRule[] = [{ verbs: ["get", "list"], apiGroups: [""], resources: ["pods"] }];
  const role = { name: "reader", rules };
  const withRoles = createAuthorizer({
    isRelatedToNode: () => false,
    sources: [
      rulesFromBindings([
        {
          role,
          namespace: "a",
          subjects: [
            { kind: "User", name: "ann" },
            { kind: "Group", name: "devs" },
          ],
        },
        { role, subjects: [{ kind: "ServiceAccount", namespace: "default", name: "default" }] },
        { role: undefined, subjects: [{ kind: "User", name: "bob" }] },
      ]),
    ],
  });
  const may = async (who: UserInfo, text: string) => (await withRoles.authorize(request(who, text))).allowed;
  assert.equal(await may(user("ann"), "list pods a/"), true);
  assert.equal(await may(user("ann"), "list pods b/"), false);
  assert.equal(await may(user("ann"), "list pods"), false);
  assert.equal(await may(user("dan", "devs"), "get pods a/p"), true);
  assert.equal(await may(account, "get pods b/p"), true);
  assert.equal(await may(user("bob"), "get pods a/p"), false);
});

const ruleTable: [PolicyRule, string, boolean][] = [
  [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }, "delete pods/log a/p", true],
  [{ verbs: ["get"], apiGroups: [""], resources: ["pods"] }, "get pods/log a/p", false],
  [{ verbs: ["get"], apiGroups: [""], resources: ["pods/log"] }, "get pods/log a/p", true],
  [{ verbs: ["get"], apiGroups: [""], resources: ["pods/log"] }, "get pods a/p", false],
  [
    { verbs: ["update"], apiGroups: ["*"], resources: ["*/scale"] },
    "update deployments.apps/scale a/d",
    true,
  ],
  [{ verbs: ["update"], apiGroups: ["*"], resources: ["*/scale"] }, "update deployments.apps a/d", false],
  [{ verbs: ["get"], apiGroups: ["apps"], resources: ["*"] }, "get pods a/p", false],
  [
    { verbs: ["get"], apiGroups: [""], resources: ["secrets"], resourceNames: ["s"] },
    "get secrets a/s",
    true,
  ],
  [
    { verbs: ["get", "list"], apiGroups: [""], resources: ["secrets"], resourceNames: ["s"] },
    "list secrets a/",
    false,
  ],
  [{ verbs: ["get"], nonResourceURLs: ["/apis/*"] }, "get /apis/apps", true],
  [{ verbs: ["get"], nonResourceURLs: ["/apis/*"] }, "get /api", false],
  [{ verbs: ["get"], nonResourceURLs: ["*"] }, "post /x", false],
  [{ verbs: ["*"], nonResourceURLs: ["*"] }, "get pods a/p", false],
];
for (const [rule, text, allowed] of ruleTable) {
  test(`a rule ${JSON.stringify(rule)} ${allowed ? "covers" : "does not cover"} ${text}`, () => {
    assert.equal(ruleAllows(rule, request(account, text)), allowed);
  });
}

test("what a user may do is listed as rules; for the admin everything, for a node not all of it", () => {
  assert.deepEqual(
    authorizer.rulesFor(admin, "default").rules.map((rule) => rule.verbs),
    [["*"], ["*"]],
  );
  const ofAccount = authorizer.rulesFor(account, "default");
  assert.equal(ofAccount.incomplete, undefined);
  assert.ok(ofAccount.rules.some((rule) => rule.nonResourceURLs?.includes("/healthz")));
  assert.ok(ofAccount.rules.some((rule) => rule.resources?.includes("selfsubjectrulesreviews")));
  assert.match(authorizer.rulesFor(node, "default").incomplete ?? "", /node authorizer/);
});
