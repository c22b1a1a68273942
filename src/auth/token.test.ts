import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { test } from "node:test";
import { SeededRandom, SteppedClock } from "../base/index.ts";
import { StatusError } from "../machinery/index.ts";
import { type BoundObject, createAuthenticator } from "./authenticator.ts";
import { keyPem, newKey } from "./certificate.ts";
import { createTokenIssuer, defaultIssuer, type TokenIssueRequest } from "./token.ts";

const startMs = Date.UTC(2026, 0, 1);

function cluster(signingKey = keyPem(newKey().privateKey)) {
  const clock = new SteppedClock(startMs);
  const tokens = createTokenIssuer({ signingKey, clock, random: new SeededRandom(1) });
  const objects = new Map<string, BoundObject>([
    ["serviceaccounts/default/web", { uid: "sa-1" }],
    ["pods/default/web-0", { uid: "pod-1" }],
    ["secrets/default/s", { uid: "secret-1" }],
    ["nodes//n1", { uid: "node-1" }],
  ]);
  const authenticator = createAuthenticator({
    clock,
    tokens,
    find: (resource, namespace = "", name) => objects.get(`${resource}/${namespace}/${name}`),
  });
  return { clock, tokens, objects, authenticator, signingKey };
}

const request = (more: Partial<TokenIssueRequest> = {}): TokenIssueRequest => ({
  namespace: "default",
  serviceAccount: { name: "web", uid: "sa-1" },
  audiences: [],
  expirationSeconds: 600,
  ...more,
});

const decode = (token: string, part: number) =>
  JSON.parse(Buffer.from(token.split(".")[part]!, "base64url").toString());

const unauthorized = (error: unknown) => {
  assert.ok(error instanceof StatusError);
  assert.equal(error.code, 401);
  assert.equal(error.message, "Unauthorized");
  return true;
};

test("a pod's token has the claims of Kubernetes and is signed with a key that the JWKS shows", async () => {
  const { tokens } = cluster();
  const bound = { kind: "Pod", name: "web-0", uid: "pod-1", nodeName: "n1", nodeUid: "node-1" } as const;
  const { token, expirationTimestamp } = await tokens.issue(request({ bound }));
  const nowS = startMs / 1_000;
  const { jti, ...claims } = decode(token, 1);
  assert.match(jti, /^[0-9a-f-]{36}$/);
  assert.deepEqual(claims, {
    aud: [defaultIssuer],
    exp: nowS + 600,
    iat: nowS,
    iss: defaultIssuer,
    "kubernetes.io": {
      namespace: "default",
      node: { name: "n1", uid: "node-1" },
      pod: { name: "web-0", uid: "pod-1" },
      serviceaccount: { name: "web", uid: "sa-1" },
    },
    nbf: nowS,
    sub: "system:serviceaccount:default:web",
  });
  assert.equal(expirationTimestamp, "2026-01-01T00:10:00Z");
  const [key] = tokens.jwks().keys;
  const header = decode(token, 0);
  assert.deepEqual(header, { alg: "ES256", kid: key!.kid });
  assert.equal(key!.d, undefined);
  const [head, body, signature] = token.split(".");
  const publicKey = createPublicKey({ key: key as any, format: "jwk" });
  const signed = Buffer.from(`${head}.${body}`);
  assert.ok(
    verify(
      "sha256",
      signed,
      { key: publicKey, dsaEncoding: "ieee-p1363" },
      Buffer.from(signature!, "base64url"),
    ),
  );
  assert.deepEqual(tokens.openIdConfiguration({ jwksUri: "https://127.0.0.1/openid/v1/jwks" }), {
    issuer: defaultIssuer,
    jwks_uri: "https://127.0.0.1/openid/v1/jwks",
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["ES256"],
  });
});

test("the token is accepted as the account it was made for", async () => {
  const { tokens, authenticator } = cluster();
  const bound = { kind: "Pod", name: "web-0", uid: "pod-1", nodeName: "n1", nodeUid: "node-1" } as const;
  const { token } = await tokens.issue(request({ bound }));
  const user = await authenticator.authenticate({ bearerToken: token });
  assert.deepEqual(user, {
    name: "system:serviceaccount:default:web",
    uid: "sa-1",
    groups: ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
    extra: {
      "authentication.kubernetes.io/credential-id": [`JTI=${decode(token, 1).jti}`],
      "authentication.kubernetes.io/pod-name": ["web-0"],
      "authentication.kubernetes.io/pod-uid": ["pod-1"],
      "authentication.kubernetes.io/node-name": ["n1"],
      "authentication.kubernetes.io/node-uid": ["node-1"],
    },
  });
  assert.equal(await authenticator.authenticate({ bearerToken: token }), user, "verified once");
});

const ends: {
  name: string;
  bound?: TokenIssueRequest["bound"];
  change: (c: ReturnType<typeof cluster>) => unknown;
}[] = [
  { name: "its time is over", change: ({ clock }) => clock.step(661_000) },
  { name: "the account is gone", change: ({ objects }) => objects.delete("serviceaccounts/default/web") },
  {
    name: "the account was made anew",
    change: ({ objects }) => objects.set("serviceaccounts/default/web", { uid: "sa-2" }),
  },
  {
    name: "its pod is gone",
    bound: { kind: "Pod", name: "web-0", uid: "pod-1" },
    change: ({ objects }) => objects.delete("pods/default/web-0"),
  },
  {
    name: "its pod is another of the same name",
    bound: { kind: "Pod", name: "web-0", uid: "pod-1" },
    change: ({ objects }) => objects.set("pods/default/web-0", { uid: "pod-2" }),
  },
  {
    name: "its pod was to be gone a minute ago",
    bound: { kind: "Pod", name: "web-0", uid: "pod-1" },
    change: ({ objects }) =>
      objects.set("pods/default/web-0", { uid: "pod-1", deletionTimestamp: "2025-12-31T23:58:00Z" }),
  },
  {
    name: "its secret is gone",
    bound: { kind: "Secret", name: "s", uid: "secret-1" },
    change: ({ objects }) => objects.delete("secrets/default/s"),
  },
  {
    name: "its node is gone",
    bound: { kind: "Node", name: "n1", uid: "node-1" },
    change: ({ objects }) => objects.delete("nodes//n1"),
  },
];
for (const { name, bound, change } of ends) {
  test(`a token that was good is refused once ${name}`, async () => {
    const made = cluster();
    const { token } = await made.tokens.issue(request({ bound }));
    await made.authenticator.authenticate({ bearerToken: token });
    await change(made);
    await assert.rejects(made.authenticator.authenticate({ bearerToken: token }), unauthorized);
  });
}

test("a pod that is being deleted in its grace period keeps its token", async () => {
  const { tokens, objects, authenticator } = cluster();
  const { token } = await tokens.issue(request({ bound: { kind: "Pod", name: "web-0", uid: "pod-1" } }));
  objects.set("pods/default/web-0", { uid: "pod-1", deletionTimestamp: "2026-01-01T00:00:30Z" });
  await authenticator.authenticate({ bearerToken: token });
});

test("a token for another audience is no credential here, but a TokenReview may ask for it", async () => {
  const { tokens, authenticator } = cluster();
  const { token } = await tokens.issue(request({ audiences: ["vault"] }));
  await assert.rejects(authenticator.authenticate({ bearerToken: token }), unauthorized);
  assert.deepEqual((await authenticator.reviewToken(token, ["vault", "x"])).audiences, ["vault"]);
});

test("forged and broken tokens are refused", async () => {
  const { tokens, authenticator } = cluster();
  const { token } = await tokens.issue(request());
  const [head, body, signature] = token.split(".") as [string, string, string];
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const { token: foreign } = await cluster().tokens.issue(request());
  const elevated = encode({ ...decode(token, 1), sub: "system:serviceaccount:kube-system:admin" });
  for (const bad of [
    "",
    "x",
    "a.b.c",
    foreign,
    `${head}.${elevated}.${signature}`,
    `${encode({ alg: "none" })}.${body}.`,
    `${encode({ alg: "HS256", kid: decode(token, 0).kid })}.${body}.${signature}`,
    `${head}.${body}.${"A".repeat(20_000)}`,
  ]) {
    await assert.rejects(authenticator.authenticate({ bearerToken: bad }), unauthorized);
  }
});

test("tokens of a former RSA key are still good", async () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const former = cluster(keyPem(privateKey));
  const { token } = await former.tokens.issue(request());
  assert.equal(decode(token, 0).alg, "RS256");
  const clock = new SteppedClock(startMs);
  const tokens = createTokenIssuer({
    signingKey: keyPem(newKey().privateKey),
    formerKeys: [former.signingKey],
    clock,
    random: new SeededRandom(2),
  });
  const authenticator = createAuthenticator({ clock, tokens, find: () => ({ uid: "sa-1" }) });
  assert.equal(
    (await authenticator.authenticate({ bearerToken: token })).name,
    "system:serviceaccount:default:web",
  );
});

test("a pod's default token is made to last for clients that never read it again, and warns", async () => {
  const { tokens } = cluster();
  const bound = { kind: "Pod", name: "web-0", uid: "pod-1" } as const;
  const { token, expirationTimestamp } = await tokens.issue(request({ bound, expirationSeconds: 3_607 }));
  const claims = decode(token, 1);
  assert.equal(claims.exp - claims.iat, 365 * 24 * 3_600);
  assert.equal(claims["kubernetes.io"].warnafter - claims.iat, 3_607);
  assert.equal(expirationTimestamp, "2026-01-01T01:00:07Z");
});

test("a client certificate's name and organizations are the user and its groups", async () => {
  const { authenticator } = cluster();
  const certificate = { commonName: "kubernetes-admin", organizations: ["system:masters"] };
  assert.deepEqual(await authenticator.authenticate({ certificate }), {
    name: "kubernetes-admin",
    groups: ["system:masters", "system:authenticated"],
  });
  assert.deepEqual(await authenticator.authenticate({}), {
    name: "system:anonymous",
    groups: ["system:unauthenticated"],
  });
});
