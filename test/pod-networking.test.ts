import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { isIPv4, isIPv6 } from "node:net";
import { after, before, test } from "node:test";
import { busyboxPod, eventually, run, TestCluster } from "./support/cluster.ts";

const disabled = "/proc/sys/net/ipv6/conf/all/disable_ipv6";
const isDual = existsSync(disabled) && readFileSync(disabled, "utf8").trim() === "0";
const families = isDual ? [isIPv4, isIPv6] : [isIPv4];

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start();
  const says = "mkdir /www && hostname >/www/name && httpd -p 8080 -h /www && exec sleep 3600";
  await Promise.all([
    cluster.apply(
      busyboxPod("server", says, {
        containers: [
          {
            name: "main",
            image: "busybox",
            command: ["sh", "-c", says],
            env: ["podIP", "podIPs", "hostIP", "hostIPs"].map((name) => ({
              name,
              valueFrom: { fieldRef: { fieldPath: `status.${name}` } },
            })),
            ports: [{ containerPort: 8080, hostPort: 38_180 }],
          },
        ],
      }),
    ),
    cluster.apply(busyboxPod("client")),
    cluster.apply(busyboxPod("on-host", "exec sleep 3600", { hostNetwork: true })),
  ]);
  for (const name of ["server", "client", "on-host"]) await cluster.wait(`pod/${name}`, "condition=Ready");
});
after(() => cluster?.purge());

const addresses = (list: { ip: string }[]) => list.map(({ ip }) => ip);
const exec = (pod: string, command: string) => cluster.kubectl(["exec", pod, "--", "sh", "-c", command]);
const bracketed = (ip: string) => (isIPv6(ip) ? `[${ip}]` : ip);

function assertOneOfEachFamily(ips: readonly string[]): void {
  assert.deepEqual(
    ips.map((ip, i) => families[i]?.(ip)),
    families.map(() => true),
    ips.join(),
  );
}

test("a pod has an address of each family that the host has, IPv4 first, and is told of them", async () => {
  const { status } = await cluster.get("pod", "server");
  const [ips, hostIps] = [addresses(status.podIPs), addresses(status.hostIPs)];
  assertOneOfEachFamily(ips);
  assertOneOfEachFamily(hostIps);
  assert.deepEqual([status.podIP, status.hostIP], [ips[0], hostIps[0]]);
  const node = (await cluster.get("nodes")).items[0];
  assert.equal(node.spec.podCIDRs.length, families.length);
  assertOneOfEachFamily(
    node.status.addresses
      .filter(({ type }: { type: string }) => type === "InternalIP")
      .map(({ address }: { address: string }) => address),
  );
  const told = await exec("server", "echo $podIP $podIPs $hostIP $hostIPs");
  assert.equal(told, `${ips[0]} ${ips.join()} ${hostIps[0]} ${hostIps.join()}\n`);
  const hosts = await exec("server", "cat /etc/hosts");
  for (const ip of ips) assert.ok(hosts.includes(`${ip}\tserver\n`), hosts);
});

test("a pod on the host's network has the host's addresses", async () => {
  const { status } = await cluster.get("pod", "on-host");
  assert.deepEqual(status.podIPs, status.hostIPs);
});

/** busybox has no UDP server: the host's Python speaks from inside the pod's network namespace. */
const serve = `
import socket
s = socket.socket(socket.AF_INET6 if ${isDual ? "True" : "False"} else socket.AF_INET, socket.SOCK_DGRAM)
if ${isDual ? "True" : "False"}: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(("", 8081))
print("ready", flush=True)
while True: s.sendto(b"udp", s.recvfrom(1024)[1])
`;
const ask = `
import socket, sys
to = socket.getaddrinfo(sys.argv[1], sys.argv[2], type=socket.SOCK_DGRAM)[0]
s = socket.socket(to[0], socket.SOCK_DGRAM)
s.settimeout(20)
s.sendto(b"hi", to[4])
sys.stdout.write(s.recv(1024).decode())
`;

/** The path of a pod's network namespace, by one of the processes in it. */
async function namespaceOf(pod: string): Promise<string> {
  const inode = (await exec(pod, "readlink /proc/self/ns/net")).trim();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      if (readlinkSync(`/proc/${pid}/ns/net`) === inode) return `/proc/${pid}/ns/net`;
    } catch {
      // Ended meanwhile.
    }
  }
  throw new Error(`no process is in the network namespace of ${pod}`);
}

async function inNamespaceOf(pod: string, script: string, args: readonly string[]): Promise<string> {
  const namespace = await namespaceOf(pod);
  const { stdout, stderr } = await run("nsenter", [`--net=${namespace}`, "python3", "-c", script, ...args]);
  assert.equal(stderr, "");
  return stdout;
}

test("pods and the node reach a pod by HTTP and UDP, at each of its addresses", async (t) => {
  const { status } = await cluster.get("pod", "server");
  const udp = spawn("nsenter", [`--net=${await namespaceOf("server")}`, "python3", "-c", serve], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => udp.kill("SIGKILL"));
  await once(udp.stdout, "data");
  for (const ip of addresses(status.podIPs)) {
    for (const from of ["client", "on-host", "server"]) {
      assert.equal(
        await exec(from, `wget -qO- http://${bracketed(ip)}:8080/name`),
        "server\n",
        `${from} ${ip}`,
      );
      assert.equal(await inNamespaceOf(from, ask, [ip, "8081"]), "udp", `${from} ${ip}`);
    }
  }
  for (const ip of addresses(status.hostIPs)) {
    assert.equal(await exec("client", `wget -qO- http://${bracketed(ip)}:38180/name`), "server\n");
  }
});

test("a host port may be shared by pods of other addresses and protocols, and is refused by the node where taken", async () => {
  const { hostIP } = (await cluster.get("pod", "client")).status;
  const onPort = (name: string, port: object) =>
    busyboxPod(name, "exec httpd -f -p 8080", {
      nodeName: undefined,
      containers: [
        {
          name: "main",
          image: "busybox",
          command: ["httpd", "-f", "-p", "8080"],
          ports: [{ containerPort: 8080, ...port }],
        },
      ],
    });
  const node = (await cluster.get("nodes")).items[0].metadata.name;
  await cluster.apply(onPort("port-1", { hostPort: 38_181, hostIP: "127.0.0.1", protocol: "TCP" }));
  await cluster.apply(onPort("port-2", { hostPort: 38_181, hostIP, protocol: "TCP" }));
  await cluster.apply(onPort("port-3", { hostPort: 38_181, hostIP, protocol: "UDP" }));
  for (const name of ["port-1", "port-2", "port-3"]) await cluster.wait(`pod/${name}`, "condition=Ready");
  const late = onPort("port-4", { hostPort: 38_181, protocol: "TCP" });
  await cluster.apply({ ...late, spec: { ...late.spec, nodeName: node } });
  await cluster.wait("pod/port-4", "jsonpath={.status.phase}=Failed");
  const { status } = await cluster.get("pod", "port-4");
  assert.equal(status.reason, "NodePorts");
});

test("a sandbox that cannot be made is told by an event, and the pod waits", async () => {
  const wide = busyboxPod("wide");
  await cluster.apply({
    ...wide,
    metadata: { ...wide.metadata, annotations: { "kubernetes.io/egress-bandwidth": "2P" } },
  });
  await cluster.apply(
    busyboxPod("long", "exec sleep 3600", {
      hostname: "a".repeat(40),
      subdomain: "b".repeat(40),
      setHostnameAsFQDN: true,
    }),
  );
  const eventOf = (pod: string) =>
    eventually(`an event of ${pod}`, async () => {
      const { items } = await cluster.get("events", "--field-selector", `involvedObject.name=${pod}`);
      return items.find(({ reason }: { reason: string }) => reason === "FailedCreatePodSandBox");
    });
  assert.match((await eventOf("wide")).message, /resource is unreasonably large \(> 1Pbit\)/);
  const long = await eventOf("long");
  assert.match(
    long.message,
    /failed to construct FQDN from pod hostname and cluster domain, FQDN .* is too long/,
  );
  assert.equal(long.type, "Warning");
  for (const pod of ["wide", "long"]) assert.equal((await cluster.get("pod", pod)).status.phase, "Pending");
});

test("limits of DNS: what a resolver would ignore is left out, and the pod is told", async () => {
  const nameservers = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
  await cluster.apply(
    busyboxPod("resolves", "exec sleep 3600", {
      dnsPolicy: "None",
      dnsConfig: {
        nameservers,
        searches: ["one.test", "two.test"],
        options: [{ name: "ndots", value: "3" }, { name: "edns0" }],
      },
    }),
  );
  await cluster.wait("pod/resolves", "condition=Ready");
  assert.equal(
    await exec("resolves", "cat /etc/resolv.conf"),
    "search one.test two.test\nnameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\noptions ndots:3 edns0\n",
  );
});

test("readyz names what it looked at, and both groups of events show what happened", async () => {
  const ready = await cluster.kubectl(["get", "--raw", "/readyz?verbose"]);
  for (const check of ["ping", "etcd", "informer-sync"]) assert.ok(ready.includes(`[+]${check} ok\n`), ready);
  assert.match(await cluster.kubectl(["get", "events.events.k8s.io"]), /Normal +Started +pod\/server/);
  assert.match(await cluster.kubectl(["events", "--for", "pod/server"]), /Normal +Started +Pod\/server/);
});
