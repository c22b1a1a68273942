import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { silentLog } from "../base/index.ts";
import { createLinuxHost, type LinuxHost, type PortMapping } from "../runtime/index.ts";
import { type BridgeNetwork, createBridgeNetwork, purgeBridgeNetwork } from "./bridge-network.ts";

const rangeCidr = "10.250.0.0/16";
let base: string;
let network: BridgeNetwork;
const clusters = new Set<string>();
const namespaces: string[] = [];
const children: ChildProcess[] = [];

async function start(id: string, host?: LinuxHost): Promise<BridgeNetwork> {
  clusters.add(id);
  return createBridgeNetwork({
    dir: join(base, id),
    id,
    rangeCidr,
    outside: "unreachable",
    host,
    log: silentLog,
  });
}

async function purge(id: string): Promise<void> {
  await purgeBridgeNetwork({ dir: join(base, id), id, rangeCidr });
  clusters.delete(id);
}

async function makeNamespace(name: string): Promise<string> {
  const path = join(base, "ns", name);
  await mkdir(join(base, "ns"), { recursive: true });
  await (await createLinuxHost()).createNamespaces({ paths: { net: path } });
  namespaces.push(path);
  return path;
}

async function attach(
  name: string,
  portMappings: PortMapping[] = [],
): Promise<{ netnsPath: string; ip: string }> {
  const netnsPath = await makeNamespace(name);
  const pod = { sandboxId: name, netnsPath, podName: name, podNamespace: "default", portMappings };
  const { ips } = await network.attach(pod);
  return { netnsPath, ip: ips[0]! };
}

/** A server in the pod that says `text` to everyone; resolves once it listens. */
async function serve(netnsPath: string, port: number, text: string): Promise<void> {
  const script = `while :; do echo ${text} | busybox nc -l -p ${port}; done`;
  const child = spawn("nsenter", [`--net=${netnsPath}`, "sh", "-c", script], {
    stdio: "ignore",
    detached: true,
  });
  children.push(child);
  for (let i = 0; i < 1000; i++) {
    const listening = execFileSync("nsenter", [
      `--net=${netnsPath}`,
      "cat",
      "/proc/net/tcp",
      "/proc/net/tcp6",
    ]);
    if (listening.includes(`:${port.toString(16).toUpperCase().padStart(4, "0")} `)) return;
  }
  throw new Error("the server does not listen");
}

function ask(netnsPath: string, host: string, port: number): string {
  return execFileSync("nsenter", [`--net=${netnsPath}`, "busybox", "nc", "-w", "3", host, String(port)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();
}

async function askFromNode(host: string, port: number): Promise<string> {
  const socket = connect({ host, port });
  socket.setTimeout(3000, () => socket.destroy(new Error("timeout")));
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
    // busybox nc holds on until the other side ends.
    socket.end();
  });
  await once(socket, "close");
  return text.trim();
}

before(async () => {
  base = await mkdtemp(join(tmpdir(), "peapod-net-"));
  network = await start("t1");
});
after(async () => {
  // Each leads a process group: the shell and what it waits for.
  for (const child of children) process.kill(-child.pid!, "SIGKILL");
  const host = await createLinuxHost();
  for (const path of namespaces) await host.umount(path);
  for (const id of clusters) await purge(id);
  await rm(base, { recursive: true, force: true });
});

test("pods reach each other by their addresses, and have a default route", async () => {
  const [a, b] = [await attach("a"), await attach("b")];
  assert.notEqual(a.ip, b.ip);
  await serve(b.netnsPath, 8080, "from-b");
  assert.equal(ask(a.netnsPath, b.ip, 8080), "from-b");
  const routes = execFileSync("nsenter", [`--net=${a.netnsPath}`, "ip", "route"], { encoding: "utf8" });
  assert.match(routes, new RegExp(`default via ${network.gateway} `));
});

test("attaching a pod again changes nothing", async () => {
  const { netnsPath, ip } = await attach("again");
  const pod = { sandboxId: "again", netnsPath, podName: "again", podNamespace: "default", portMappings: [] };
  assert.deepEqual(await network.attach(pod), { ips: [ip] });
});

test("a host port leads to its pod from the node, from 127.0.0.1 and from the pod itself, until the pod goes", async () => {
  const mapping: PortMapping = { protocol: "TCP", hostPort: 38080, containerPort: 80 };
  const { netnsPath } = await attach("web", [mapping] as PortMapping[]);
  await serve(netnsPath, 80, "hello");
  assert.equal(await askFromNode("127.0.0.1", 38080), "hello");
  await serve(netnsPath, 80, "hello");
  assert.equal(await askFromNode(network.gateway, 38080), "hello");
  await serve(netnsPath, 80, "hello");
  assert.equal(ask(netnsPath, network.gateway, 38080), "hello");
  const other = await makeNamespace("rival");
  await assert.rejects(
    network.attach({
      sandboxId: "rival",
      netnsPath: other,
      podName: "rival",
      podNamespace: "default",
      portMappings: [mapping] as PortMapping[],
    }),
    /network of pod "rival"/,
  );
  await network.detach("web");
  await assert.rejects(askFromNode("127.0.0.1", 38080), /ECONNREFUSED/);
});

test("a new agent knows the addresses of the old one's pods, and their host ports", async () => {
  const mapping: PortMapping = { protocol: "TCP", hostPort: 38081, containerPort: 81 };
  const pod = await attach("keeps", [mapping] as PortMapping[]);
  await serve(pod.netnsPath, 81, "still");
  network = await start("t1");
  assert.equal(await askFromNode("127.0.0.1", 38081), "still");
  const others = await Promise.all(Array.from({ length: 20 }, (_, i) => attach(`many-${i}`)));
  const addresses = new Set([pod.ip, ...others.map((other) => other.ip)]);
  assert.equal(addresses.size, 21);
});

test("an address that was freed comes back only after the others, and not while its link is there", async () => {
  const first = await attach("first");
  await network.detach("first");
  const second = await attach("second");
  assert.notEqual(second.ip, first.ip);
});

test("what belongs to no sandbox is freed", async () => {
  const { ip } = await attach("orphan");
  await network.retain(["a", "b"]);
  assert.throws(() => execFileSync("ip", ["link", "show", `pp${hex(ip)}`], { stdio: "ignore" }));
});

test("two clusters take different ranges, and purging one leaves nothing of it and all of the other", async () => {
  const second = await start("t2");
  assert.notEqual(second.podCidr, network.podCidr);
  await purge("t2");
  const state = () =>
    ["ip link", "ip route show table all", "nft list tables"]
      .map((command) => execFileSync("sh", ["-c", command], { encoding: "utf8" }))
      .join("\n");
  assert.doesNotMatch(state(), /t2/);
  assert.ok(state().includes(network.podCidr));
  await assert.rejects(readFile(join(base, "t2", "pod-cidr")), /ENOENT/);
  assert.equal((await network.status()).ready, true);
});

test("without koffi, links are made by ip, and look the same", async () => {
  const byTools = await start("t3", await createLinuxHost("children"));
  const netnsPath = await makeNamespace("tools");
  const pod = { sandboxId: "tools", netnsPath, podName: "tools", podNamespace: "default", portMappings: [] };
  const { ips } = await byTools.attach(pod);
  const inside = (command: string) =>
    execFileSync("nsenter", [`--net=${netnsPath}`, "sh", "-c", command]).toString();
  assert.match(inside("ip -4 addr show eth0"), new RegExp(`inet ${ips[0]}/24 brd`));
  assert.match(inside("ip link show lo"), /LOOPBACK,UP/);
  await serve(netnsPath, 8080, "by-tools");
  assert.equal(await askFromNode(ips[0]!, 8080), "by-tools");
  await byTools.retain([]);
  await purge("t3");
});

test("a packet to a pod range that nobody holds ends at the node", async () => {
  await assert.rejects(askFromNode("10.250.255.7", 80), /EHOSTUNREACH|ENETUNREACH/);
});

function hex(address: string): string {
  return address
    .split(".")
    .map((byte) => Number(byte).toString(16).padStart(2, "0"))
    .join("");
}
