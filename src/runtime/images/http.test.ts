import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SystemClock } from "../../base/index.ts";
import { HttpClient, RequestError, readBody } from "./http.ts";
import type { RegistryConfigTls } from "./registries.ts";

const dir = mkdtempSync(join(tmpdir(), "peapod-registry-tls-"));
const path = (name: string) => join(dir, name);
let registry: Server;
let host: string;
let requiresClient: Server;
let clientHost: string;

/** A certificate that is its own authority. */
function makeCertificate(name: string, ...more: string[]): void {
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1"],
      ...["-keyout", path(`${name}.key`), "-out", path(`${name}.crt`), ...more],
    ],
    { stdio: "ignore" },
  );
}

async function serve(options: { ca?: Buffer; requestCert?: boolean }): Promise<[Server, string]> {
  const server = createServer(
    { cert: readFileSync(path("server.crt")), key: readFileSync(path("server.key")), ...options },
    (_request, response) => response.end("served"),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return [server, `127.0.0.1:${(server.address() as AddressInfo).port}`];
}

before(async () => {
  makeCertificate("server");
  makeCertificate("client");
  writeFileSync(path("none.crt"), readFileSync(path("client.crt")));
  [registry, host] = await serve({});
  [requiresClient, clientHost] = await serve({ ca: readFileSync(path("client.crt")), requestCert: true });
});

after(() => {
  for (const server of [registry, requiresClient]) server.close().closeAllConnections();
  rmSync(dir, { recursive: true, force: true });
});

/** What the registry at `to` says to a client of these settings. */
async function get(to: string, tls: RegistryConfigTls | undefined, env: NodeJS.ProcessEnv): Promise<string> {
  const config = { mirrors: {}, configs: tls ? { [to]: { tls } } : {} };
  const client = new HttpClient({ clock: new SystemClock(), config, env });
  try {
    const response = await client.request({ method: "GET", url: new URL(`https://${to}/v2/`) });
    return (await readBody(response, 100, "answer")).toString();
  } finally {
    client.close();
  }
}

/** A host whose own authorities do not know the registry. */
const strangers = () => ({ SSL_CERT_FILE: path("none.crt") });

test("a registry of an authority that the host does not know is refused, in the words of Go's client", async () => {
  const unknown =
    /Get "https:.*": tls: failed to verify certificate: x509: certificate signed by unknown authority/;
  await assert.rejects(get(host, undefined, strangers()), (error) => {
    assert.ok(error instanceof RequestError);
    assert.match(error.message, unknown);
    return true;
  });
  // As the host itself trusts: by its own file, where it has one.
  await assert.rejects(get(host, undefined, {}), unknown);
});

test("the host's authorities are those of SSL_CERT_FILE, where it is set", async () => {
  assert.equal(await get(host, undefined, { SSL_CERT_FILE: path("server.crt") }), "served");
  await assert.rejects(get(host, undefined, { SSL_CERT_FILE: path("missing.crt") }), /missing\.crt/);
});

test("authorities of NODE_EXTRA_CA_CERTS are trusted beside the host's", async () => {
  assert.equal(
    await get(host, undefined, { ...strangers(), NODE_EXTRA_CA_CERTS: path("server.crt") }),
    "served",
  );
  assert.equal(
    await get(host, undefined, { ...strangers(), PEAPOD_EXTRA_CA_CERTS: path("server.crt") }),
    "served",
  );
  await assert.rejects(
    get(host, undefined, { ...strangers(), NODE_EXTRA_CA_CERTS: path("missing.crt") }),
    /missing\.crt/,
  );
});

test("a registry's own ca_file is trusted for it, and insecure_skip_verify asks for nothing", async () => {
  assert.equal(await get(host, { ca_file: path("server.crt") }, strangers()), "served");
  assert.equal(await get(host, { insecure_skip_verify: true }, strangers()), "served");
  await assert.rejects(get(host, { ca_file: path("missing.crt") }, strangers()), /missing\.crt/);
});

test("a registry that asks who comes is shown cert_file, with key_file", async () => {
  const server = { ca_file: path("server.crt") };
  await assert.rejects(get(clientHost, server, strangers()), RequestError);
  const client = { cert_file: path("client.crt"), key_file: path("client.key") };
  assert.equal(await get(clientHost, { ...server, ...client }, strangers()), "served");
});

test("a registry that speaks HTTP where HTTPS is asked for is told apart", async () => {
  const plain = createHttpServer((_request, response) => response.end());
  plain.listen(0, "127.0.0.1");
  await once(plain, "listening");
  try {
    await assert.rejects(
      get(`127.0.0.1:${(plain.address() as AddressInfo).port}`, undefined, strangers()),
      /http: server gave HTTP response to HTTPS client/,
    );
  } finally {
    plain.close().closeAllConnections();
  }
});
