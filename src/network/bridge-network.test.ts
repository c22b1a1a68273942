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
  await listening(netnsPath, port);
}

async function listening(netnsPath: string, port: number): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    const sockets = execFileSync(
      "nsenter",
      [`--net=${netnsPath}`, "cat", "/proc/net/tcp", "/proc/net/tcp6"],
      {
        encoding: "utf8",
      },
    );
    // Its own address, the other side's, and the state: a connection of before may still have the port.
    const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
    if (new RegExp(`:${hexPort} [0-9A-F]+:0000 0A `).test(sockets)) return;
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
  assert.equal((await network.attach(pod)).ips[0], ip);
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
    ["ip link", "ip route show table all", "ip -6 route", "nft list tables"]
      .map((command) => execFileSync("sh", ["-c", command], { encoding: "utf8" }))
      .join("\n");
  assert.doesNotMatch(state(), /t2/);
  assert.ok(state().includes(network.podCidr));
  await assert.rejects(readFile(join(base, "t2", "pod-cidr")), /ENOENT/);
  assert.equal((await network.status()).ready, true);
});

test("pods have an address of each family: they reach each other, the node, and host ports by both", async () => {
  const mapping: PortMapping = { protocol: "TCP", hostPort: 38090, containerPort: 8080 };
  const netnsPath = await makeNamespace("six");
  const pod = {
    sandboxId: "six",
    netnsPath,
    podName: "six",
    podNamespace: "default",
    portMappings: [mapping],
  };
  const { ips } = await network.attach(pod);
  const [, address] = ips;
  assert.equal(ips.length, 2);
  assert.match(address!, /^fd[0-9a-f:]+::[0-9a-f]+$/);
  const [, gateway] = network.gateways;
  const { netnsPath: other } = await attach("six-client");
  await serve(netnsPath, 8080, "six");
  assert.equal(ask(other, address!, 8080), "six");
  await serve(netnsPath, 8080, "six");
  assert.equal(await askFromNode(address!, 8080), "six");
  await serve(netnsPath, 8080, "six");
  assert.equal(ask(other, gateway!, 38090), "six");
  await serve(netnsPath, 8080, "six");
  assert.equal(ask(netnsPath, gateway!, 38090), "six");
  // What nobody holds ends here, at once: in the cluster's range, and beyond the machine.
  const fails = (host: string) =>
    assert.throws(
      () =>
        execFileSync("nsenter", [`--net=${other}`, "busybox", "nc", "-w", "20", host, "80"], {
          stdio: ["ignore", "ignore", "pipe"],
          timeout: 10_000,
        }),
      /unreachable|No route|prohibited/i,
    );
  fails(address!.replace(/:[0-9a-f]+::.*$/, ":1::7"));
  fails("2001:db8::1");
  const settings = execFileSync("nsenter", [
    `--net=${netnsPath}`,
    "cat",
    "/proc/sys/net/ipv6/conf/eth0/accept_ra",
  ]);
  assert.equal(settings.toString().trim(), "0");
  await network.detach("six");
  await assert.rejects(askFromNode(gateway!, 38090), /ECONNREFUSED/);
});

test("a pod's bandwidth is limited both ways, and nothing of that stays behind", async () => {
  const netnsPath = await makeNamespace("slow");
  const bandwidth = { ingressBitsPerS: 8e6, egressBitsPerS: 8e6 };
  const pod = {
    sandboxId: "slow",
    netnsPath,
    podName: "slow",
    podNamespace: "default",
    portMappings: [],
    bandwidth,
  };
  const { ips } = await network.attach(pod);
  assert.deepEqual((await network.attach(pod)).ips, ips);
  const bytes = 1_000_000;
  const timed = async (command: string) => {
    const child = spawn("nsenter", [`--net=${netnsPath}`, "sh", "-c", command], {
      stdio: "ignore",
      detached: true,
    });
    children.push(child);
    const ended = once(child, "exit");
    await listening(netnsPath, 9000);
    const startMs = performance.now();
    const socket = connect({ host: ips[0]!, port: 9000 });
    if (command.includes("/dev/null")) socket.end(Buffer.alloc(bytes));
    let received = 0;
    socket.on("data", (chunk) => {
      received += chunk.length;
    });
    await Promise.all([once(socket, "close"), ended]);
    children.splice(children.indexOf(child), 1);
    return { ms: performance.now() - startMs, received };
  };
  // A megabyte takes a second, but for what goes at once.
  const sent = await timed(`busybox head -c ${bytes} /dev/zero | busybox nc -l -p 9000`);
  assert.equal(sent.received, bytes);
  assert.ok(sent.ms > 600, `from the pod: ${sent.ms} ms`);
  const got = await timed("busybox nc -l -p 9000 >/dev/null");
  assert.ok(got.ms > 600, `to the pod: ${got.ms} ms`);
  const shaper = `pb${hex(ips[0]!)}`;
  assert.match(
    execFileSync("tc", ["qdisc", "show", "dev", shaper], { encoding: "utf8" }),
    /tbf .*rate 8Mbit/,
  );
  await network.detach("slow");
  assert.throws(() => execFileSync("ip", ["link", "show", shaper], { stdio: "ignore" }));
});

test("a host without IPv6 gives its pods one address", async () => {
  clusters.add("t4");
  const single = await createBridgeNetwork({
    dir: join(base, "t4"),
    id: "t4",
    rangeCidr,
    outside: "unreachable",
    families: "ipv4",
    log: silentLog,
  });
  const netnsPath = await makeNamespace("single");
  const pod = { sandboxId: "single", netnsPath, podName: "p", podNamespace: "default", portMappings: [] };
  assert.equal((await single.attach(pod)).ips.length, 1);
  assert.deepEqual(single.podCidrs, [single.podCidr]);
  await single.retain([]);
  await purge("t4");
});

test("without koffi, links are made by ip, and look the same", async () => {
  const byTools = await start("t3", await createLinuxHost("children"));
  const netnsPath = await makeNamespace("tools");
  const pod = { sandboxId: "tools", netnsPath, podName: "tools", podNamespace: "default", portMappings: [] };
  const { ips } = await byTools.attach(pod);
  const inside = (command: string) =>
    execFileSync("nsenter", [`--net=${netnsPath}`, "sh", "-c", command]).toString();
  assert.match(inside("ip -4 addr show eth0"), new RegExp(`inet ${ips[0]}/24 brd`));
  assert.match(inside("ip -6 addr show eth0 scope global"), new RegExp(`inet6 ${ips[1]}/64`));
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
