import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { AddressPool } from "./address-pool.ts";
import { addressBytes6, ipv6Of } from "./ipv6.ts";
import { hostLinkName } from "./links.ts";
import { hostPortElements, ruleset } from "./nftables.ts";
import {
  addressNumber,
  formatAddress,
  formatSubnet,
  gatewayOf,
  overlaps,
  parseSubnet,
  subnetsWithin,
} from "./subnet.ts";

test("ranges are read, cut to their base, and compared", () => {
  assert.equal(formatSubnet(parseSubnet("10.244.7.9/24")), "10.244.7.0/24");
  assert.equal(gatewayOf(parseSubnet("10.244.7.0/24")), "10.244.7.1");
  assert.equal(formatAddress(addressNumber("255.255.255.254")), "255.255.255.254");
  assert.ok(overlaps(parseSubnet("10.0.0.0/8"), parseSubnet("10.244.0.0/24")));
  assert.ok(!overlaps(parseSubnet("10.244.1.0/24"), parseSubnet("10.244.0.0/24")));
  assert.equal(
    [...subnetsWithin(parseSubnet("10.244.0.0/22"), 24)].map(formatSubnet).at(-1),
    "10.244.3.0/24",
  );
  for (const wrong of ["10.0.0.0", "10.0.0.256/8", "10.0.0.0/33", "fd00::/8", ""]) {
    assert.throws(() => parseSubnet(wrong), /no IPv4 range/);
  }
});

test("a link's name fits the kernel's 15 characters and tells its address", () => {
  assert.equal(hostLinkName("10.244.0.5"), "pp0af40005");
  assert.equal(hostLinkName("9.0.0.1"), "pp09000001");
});

test("addresses go round, skip what is in use, end, and are remembered", async () => {
  const dir = await mkdtemp(join(tmpdir(), "peapod-pool-"));
  try {
    const inUse = new Set<string>(["10.1.0.3"]);
    const subnet = parseSubnet("10.1.0.0/29");
    const open = () => AddressPool.open(dir, subnet, (address) => inUse.has(address));
    const pool = await open();
    assert.equal(await pool.take("a"), "10.1.0.2");
    assert.equal(await pool.take("a"), "10.1.0.2");
    assert.equal(await pool.take("b"), "10.1.0.4");
    await pool.free("a");
    assert.equal(await pool.take("c"), "10.1.0.5");
    await writeFile(join(dir, "10.1.0.6"), "");
    const again = await open();
    assert.equal(again.addressOf("b"), "10.1.0.4");
    assert.equal(await again.take("d"), "10.1.0.6");
    assert.equal(await again.take("e"), "10.1.0.2");
    assert.equal(await again.take("f"), undefined);
    inUse.clear();
    assert.equal(await again.take("f"), "10.1.0.3");
    await again.free("none");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("host ports become elements of the table's maps", () => {
  const elements = hostPortElements(
    [
      { protocol: "TCP", hostPort: 80, containerPort: 8080 },
      { protocol: "UDP", hostPort: 53, containerPort: 53, hostIp: "127.0.0.1" },
      { protocol: "SCTP", hostPort: 0, containerPort: 1 },
    ],
    "10.1.0.2",
  );
  assert.deepEqual(
    elements.map(({ map, element }) => `${map} ${element}`),
    ["host-ports tcp . 80 : 10.1.0.2 . 8080", "host-ip-ports 127.0.0.1 . udp . 53 : 10.1.0.2 . 53"],
  );
});

test("a host port without an address is open in both families, one with an address in its own", () => {
  const mappings = [
    { protocol: "TCP" as const, hostPort: 80, containerPort: 8080 },
    { protocol: "TCP" as const, hostPort: 81, containerPort: 81, hostIp: "0.0.0.0" },
    { protocol: "TCP" as const, hostPort: 82, containerPort: 82, hostIp: "fd00::2" },
  ];
  const shown = (address: string) =>
    hostPortElements(mappings, address).map(({ family, map, key }) => `${family} ${map} ${key}`);
  assert.deepEqual(shown("10.1.0.2"), ["ip host-ports tcp . 80", "ip host-ports tcp . 81"]);
  assert.deepEqual(shown("fd01::2"), ["ip6 host-ports tcp . 80", "ip6 host-ip-ports fd00::2 . tcp . 82"]);
});

test("a pod's IPv6 address follows from its IPv4 one, in a range of the cluster's own", () => {
  const ipv6 = ipv6Of("one", parseSubnet("10.244.3.0/24"));
  assert.match(ipv6.range, /^fd[0-9a-f:]+::\/48$/);
  assert.match(ipv6.subnet, /:f403::\/64$/);
  assert.equal(ipv6.gateway, ipv6.subnet.replace("/64", "1"));
  assert.equal(ipv6.addressOf("10.244.3.26"), ipv6.subnet.replace("/64", "1a"));
  assert.notEqual(ipv6.range, ipv6Of("two", parseSubnet("10.244.3.0/24")).range);
  assert.match(ipv6Of("one", parseSubnet("10.0.0.0/24")).subnet, /:ffff::\/64$/);
  assert.equal(addressBytes6("fd01:2:3:f403::1a").toString("hex"), "fd0100020003f403000000000000001a");
});

test("pods that may not go outside are told so by the node", () => {
  const base = {
    family: "ip" as const,
    table: "t",
    bridge: "b",
    subnet: "10.1.0.0/24",
    range: "10.1.0.0/16",
  };
  assert.match(ruleset({ ...base, outside: "unreachable" }), /reject with icmp/);
  assert.doesNotMatch(ruleset({ ...base, outside: "reachable" }), /reject/);
});
