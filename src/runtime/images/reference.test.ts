import assert from "node:assert/strict";
import { test } from "node:test";
import { credentialsFor } from "./credentials.ts";
import { formatImageReference, parseImageReference } from "./reference.ts";
import { checkRegistriesConfig, endpointsFor, noRegistriesConfig } from "./registries.ts";
import { parseChallenges } from "./tokens.ts";

const hex = "a".repeat(64);

test("an image's name is normalised as Docker does", () => {
  const cases: [string, string][] = [
    ["nginx", "docker.io/library/nginx:latest"],
    ["nginx:1.27", "docker.io/library/nginx:1.27"],
    ["team/app", "docker.io/team/app:latest"],
    ["docker.io/nginx", "docker.io/library/nginx:latest"],
    ["index.docker.io/team/app:v1", "docker.io/team/app:v1"],
    ["localhost/app", "localhost/app:latest"],
    ["localhost:5000/app", "localhost:5000/app:latest"],
    ["registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"],
    ["[::1]:5000/app:v1", "[::1]:5000/app:v1"],
    ["UPPER.example/app", "UPPER.example/app:latest"],
    [`nginx@sha256:${hex}`, `docker.io/library/nginx@sha256:${hex}`],
    [`nginx:v1@sha256:${hex}`, `docker.io/library/nginx:v1@sha256:${hex}`],
    ["a/b_c/d__e/f-g.h:T_a-g.9", "docker.io/a/b_c/d__e/f-g.h:T_a-g.9"],
  ];
  for (const [name, canonical] of cases)
    assert.equal(formatImageReference(parseImageReference(name)), canonical);
});

test("an invalid image name is refused in upstream's words", () => {
  const cases: [string, string][] = [
    ["", "invalid reference format"],
    ["UPPER", "invalid reference format: repository name (library/UPPER) must be lowercase"],
    ["team/App:v1", "invalid reference format: repository name (team/App) must be lowercase"],
    ["a b", "invalid reference format"],
    ["nginx:", "invalid reference format"],
    ["nginx:-x", "invalid reference format"],
    ["-nginx", "invalid reference format"],
    ["a//b", "invalid reference format"],
    ["https://nginx", "invalid reference format"],
    [`nginx@sha256:${"a".repeat(40)}`, "invalid checksum digest length"],
    [`nginx@md5:${"a".repeat(32)}`, "unsupported digest algorithm"],
    [`nginx@sha256:${"A".repeat(64)}`, "invalid checksum digest format"],
    [hex, `invalid repository name (${hex}), cannot specify 64-byte hexadecimal strings`],
    [`e/${"x".repeat(260)}`, "repository name must not be more than 255 characters"],
  ];
  for (const [name, why] of cases) {
    const message = `couldn't parse image name ${JSON.stringify(name)}: ${why}`;
    assert.throws(() => parseImageReference(name), { reason: "InvalidImageName", message });
  }
});

test("mirrors are asked in their order, then the registry itself; plain http is for loopback and where it is written", () => {
  const config = checkRegistriesConfig({
    mirrors: {
      "docker.io": {
        endpoint: ["http://mirror.example:8080", "proxy.example/v2/hub"],
        rewrite: { "^library/(.*)": "l/$1" },
      },
      "*": { endpoint: ["https://any.example"] },
    },
  });
  const urls = (name: string, of = config) =>
    endpointsFor(parseImageReference(name), of).map(({ base, path }) => `${base} ${path}`);
  assert.deepEqual(urls("nginx"), [
    "http://mirror.example:8080/v2/ l/nginx",
    "https://proxy.example/v2/hub/ l/nginx",
    "https://registry-1.docker.io/v2/ library/nginx",
  ]);
  assert.deepEqual(urls("quay.io/a/b"), ["https://any.example/v2/ a/b", "https://quay.io/v2/ a/b"]);
  assert.deepEqual(urls("localhost:5000/a", noRegistriesConfig), ["http://localhost:5000/v2/ a"]);
  assert.deepEqual(urls("r.example/a", noRegistriesConfig), ["https://r.example/v2/ a"]);
});

test("a mistake in the registries' file is named", () => {
  const cases: [unknown, RegExp][] = [
    [{ mirror: {} }, /the file: unknown field "mirror"/],
    [{ mirrors: { "docker.io": { endpoints: [] } } }, /mirrors.docker.io: unknown field "endpoints"/],
    [
      { mirrors: { "docker.io": { endpoint: "http://x" } } },
      /mirrors.docker.io.endpoint is not of the right type/,
    ],
    [{ mirrors: { x: { endpoint: ["ftp://x"] } } }, /only http and https/],
    [
      { configs: { x: { tls: { insecure_skip_verify: "yes" } } } },
      /insecure_skip_verify is not of the right type/,
    ],
    [[], /the file must be a map/],
  ];
  for (const [value, message] of cases) assert.throws(() => checkRegistriesConfig(value), { message });
});

test("a pull secret is used where kubelet's keyring would use it, and not at a mirror", () => {
  const names = (name: string, registries: string[], config = noRegistriesConfig) => {
    const reference = parseImageReference(name);
    const secrets = registries.map((registry) => ({ registry, username: registry, password: "p" }));
    return endpointsFor(reference, config).map((endpoint) =>
      credentialsFor(reference, endpoint, secrets, config).map(({ username }) => username),
    );
  };
  assert.deepEqual(names("nginx", ["https://index.docker.io/v1/", "quay.io"]), [
    ["https://index.docker.io/v1/"],
  ]);
  assert.deepEqual(names("r.example/team/app", ["r.example", "r.example/team", "r.example/te"]), [
    ["r.example/team", "r.example"],
  ]);
  assert.deepEqual(names("a.r.example/app", ["*.r.example", "*.example"]), [["*.r.example"]]);
  assert.deepEqual(names("r.example:5000/app", ["r.example"]), [[undefined]]);
  const mirrored = checkRegistriesConfig({ mirrors: { "docker.io": { endpoint: ["http://m.example"] } } });
  assert.deepEqual(names("nginx", ["docker.io"], mirrored), [[undefined], ["docker.io"]]);
});

test("a registry's challenges are read, with commas in their values and several in a line", () => {
  const header =
    'Basic realm="a, b", Bearer realm="https://t/x?y=z",service=s,scope="repository:a:pull,push"';
  assert.deepEqual(parseChallenges(header), [
    { scheme: "basic", parameters: { realm: "a, b" } },
    {
      scheme: "bearer",
      parameters: { realm: "https://t/x?y=z", service: "s", scope: "repository:a:pull,push" },
    },
  ]);
});
