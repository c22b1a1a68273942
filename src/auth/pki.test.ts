import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import tls from "node:tls";
import { promisify } from "node:util";
import { SteppedClock } from "../base/index.ts";
import { ensurePki, type Pki } from "./pki.ts";

const run = promisify(execFile);

async function directory(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "peapod-pki-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

const clock = () => new SteppedClock(Date.now());
const options = { nodeName: "node-1", sans: ["10.96.0.1", "fd00::1:2", "api.example.test"] };

test("a first start makes every certificate, and OpenSSL takes them", async (t) => {
  const dir = await directory(t);
  const pki = await ensurePki(dir, { ...options, clock: clock() });
  const file = (name: string) => join(dir, name);
  for (const name of ["apiserver", "admin", "kube-scheduler", "kube-controller-manager", "node-node-1"]) {
    const { stdout } = await run("openssl", [
      "verify",
      "-x509_strict",
      "-CAfile",
      file("ca.crt"),
      file(`${name}.crt`),
    ]);
    assert.match(stdout, /: OK/);
  }
  const { stdout: shown } = await run("openssl", ["x509", "-in", file("apiserver.crt"), "-noout", "-text"]);
  for (const san of [
    "DNS:localhost",
    "DNS:kubernetes.default.svc.cluster.local",
    "DNS:api.example.test",
    "IP Address:127.0.0.1",
    "IP Address:0:0:0:0:0:0:0:1",
    "IP Address:10.96.0.1",
    "IP Address:FD00:0:0:0:0:0:1:2",
    "TLS Web Server Authentication",
  ]) {
    assert.ok(shown.includes(san), san);
  }
  assert.equal(new X509Certificate(pki.admin.certificate).subject, "O=system:masters\nCN=kubernetes-admin");
  assert.equal(new X509Certificate(pki.node.certificate).subject, "O=system:nodes\nCN=system:node:node-1");
  for (const name of await readdir(dir)) {
    const mode = (await stat(file(name))).mode & 0o777;
    assert.equal(mode, name.endsWith(".key") ? 0o600 : 0o644, name);
  }
});

test("a second start makes nothing and reads the same", async (t) => {
  const dir = await directory(t);
  const { written, ...first } = await ensurePki(dir, { ...options, clock: clock() });
  assert.ok(written.length > 0);
  const { written: again, ...second } = await ensurePki(dir, { ...options, clock: clock() });
  assert.deepEqual(again, []);
  assert.deepEqual(second, first);
});

test("what is missing, torn, near its end or lacks a name is made anew, and nothing else", async (t) => {
  const dir = await directory(t);
  await ensurePki(dir, { ...options, clock: clock() });
  const writtenAfter = async (change: () => Promise<void> | void, more: object = {}) => {
    await change();
    const { written } = await ensurePki(dir, { ...options, clock: clock(), ...more });
    return [...written].sort();
  };
  assert.deepEqual(await writtenAfter(() => rm(join(dir, "admin.crt"))), ["admin.crt", "admin.key"]);
  assert.deepEqual(await writtenAfter(() => writeFile(join(dir, "apiserver.key"), "-----BEGIN")), [
    "apiserver.crt",
    "apiserver.key",
  ]);
  assert.deepEqual(await writtenAfter(() => {}, { sans: ["other.test"] }), [
    "apiserver.crt",
    "apiserver.key",
  ]);
  const inElevenMonths = new SteppedClock(Date.now() + 330 * 86_400_000);
  const renewed = await writtenAfter(() => {}, { clock: inElevenMonths });
  assert.ok(renewed.includes("admin.crt") && !renewed.includes("ca.crt") && !renewed.includes("sa.key"));
  const replaced = await writtenAfter(() => rm(join(dir, "ca.key")));
  assert.ok(replaced.includes("ca.crt") && replaced.includes("kube-scheduler.crt"));
});

/** What a server that asks for client certificates sees, and what it answers. */
async function handshake(server: Pki, client: tls.ConnectionOptions): Promise<unknown> {
  const listening = tls.createServer({
    key: server.apiserver.key,
    cert: server.apiserver.certificate,
    ca: server.ca.certificate,
    requestCert: true,
    rejectUnauthorized: false,
  });
  listening.on("tlsClientError", () => {});
  listening.on("secureConnection", (socket) => {
    const { CN, O } = socket.getPeerCertificate().subject ?? {};
    socket.end(JSON.stringify({ CN, O, authorized: socket.authorized }));
  });
  listening.listen(0, "127.0.0.1");
  await once(listening, "listening");
  const socket = tls.connect({
    port: (listening.address() as AddressInfo).port,
    host: "127.0.0.1",
    ...client,
  });
  try {
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk) => {
      text += chunk;
    });
    await once(socket, "end");
    return JSON.parse(text);
  } finally {
    socket.destroy();
    listening.close();
  }
}

test("a client with our certificate is known, one of another cluster is not, and a server of another cluster is refused", async (t) => {
  const ours = await ensurePki(await directory(t), { ...options, clock: clock() });
  const others = await ensurePki(await directory(t), { ...options, clock: clock() });
  const trust = { ca: ours.ca.certificate, servername: "kubernetes.default.svc" };
  assert.deepEqual(await handshake(ours, { ...trust, key: ours.admin.key, cert: ours.admin.certificate }), {
    CN: "kubernetes-admin",
    O: "system:masters",
    authorized: true,
  });
  const stranger = await handshake(ours, { ...trust, key: others.admin.key, cert: others.admin.certificate });
  assert.equal((stranger as { authorized: boolean }).authorized, false);
  await assert.rejects(handshake(others, trust), /certificate|signature/);
});
