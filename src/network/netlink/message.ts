/**
 * rtnetlink messages, as bytes. A message is a header, a fixed part that depends on its type, and attributes, each
 * padded to four bytes (linux/netlink.h, linux/rtnetlink.h). Little-endian, as every machine this runs on.
 */

const headerBytes = 16;
const attributeHeaderBytes = 4;

export const messageType = {
  error: 2,
  newLink: 16,
  delLink: 17,
  newAddress: 20,
  newRoute: 24,
  delRoute: 25,
} as const;

const flagRequest = 0x1;
const flagAck = 0x4;
const flagExclusive = 0x200;
const flagCreate = 0x400;

const linkUp = 0x1;
const nested = 0x8000;

const ifla = { ifName: 3, master: 10, linkInfo: 18, netnsFd: 28 } as const;
const iflaInfo = { kind: 1, data: 2, slaveKind: 4, slaveData: 5 } as const;
const vethPeer = 1;
const bridgePortHairpin = 4;
const ifa = { address: 1, local: 2, broadcast: 4 } as const;
const rta = { gateway: 5 } as const;

const familyUnspecified = 0;
const familyInet = 2;
const familyInet6 = 10;
/** No time is spent on looking for a second owner: the pool knows that there is none. */
const addressNoDad = 0x02;
const tableMain = 254;
const protocolStatic = 4;
const scopeUniverse = 0;
const routeUnicast = 1;
const loopbackIndex = 1;

function padded(length: number): number {
  return (length + 3) & ~3;
}

function attribute(type: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc(padded(attributeHeaderBytes + value.length));
  bytes.writeUInt16LE(attributeHeaderBytes + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  value.copy(bytes, attributeHeaderBytes);
  return bytes;
}

function nest(type: number, ...children: Buffer[]): Buffer {
  return attribute(type | nested, Buffer.concat(children));
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u8(value: number): Buffer {
  return Buffer.from([value]);
}

/** Four bytes of a dotted IPv4 address. */
export function addressBytes(address: string): Buffer {
  return Buffer.from(address.split(".").map(Number));
}

/** struct ifinfomsg */
function linkHead(index: number, flags: number, change: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt8(familyUnspecified, 0);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt32LE(flags, 8);
  bytes.writeUInt32LE(change, 12);
  return bytes;
}

function message(type: number, flags: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const bytes = Buffer.alloc(headerBytes + padded(body.length));
  bytes.writeUInt32LE(headerBytes + body.length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flagRequest | flagAck | flags, 6);
  body.copy(bytes, headerBytes);
  return bytes;
}

/** A veth pair: one end here, up and on the bridge, the other in the namespace behind `netnsFd`. */
export function addVeth(veth: {
  name: string;
  peerName: string;
  bridgeIndex: number;
  netnsFd: number;
}): Buffer {
  const peer = Buffer.concat([
    linkHead(0, 0, 0),
    attribute(ifla.ifName, text(veth.peerName)),
    attribute(ifla.netnsFd, u32(veth.netnsFd)),
  ]);
  return message(
    messageType.newLink,
    flagCreate | flagExclusive,
    linkHead(0, linkUp, linkUp),
    attribute(ifla.ifName, text(veth.name)),
    attribute(ifla.master, u32(veth.bridgeIndex)),
    nest(
      ifla.linkInfo,
      attribute(iflaInfo.kind, text("veth")),
      nest(iflaInfo.data, attribute(vethPeer | nested, peer)),
    ),
  );
}

/** Lets a pod reach itself through the bridge: by its service's address, or its host port. */
export function setHairpin(name: string): Buffer {
  return message(
    messageType.newLink,
    0,
    linkHead(0, 0, 0),
    attribute(ifla.ifName, text(name)),
    nest(
      ifla.linkInfo,
      attribute(iflaInfo.slaveKind, text("bridge")),
      nest(iflaInfo.slaveData, attribute(bridgePortHairpin, u8(1))),
    ),
  );
}

export function setUp(index: number): Buffer {
  return message(messageType.newLink, 0, linkHead(index, linkUp, linkUp));
}

export function setLoopbackUp(): Buffer {
  return setUp(loopbackIndex);
}

export function deleteLink(name: string): Buffer {
  return message(messageType.delLink, 0, linkHead(0, 0, 0), attribute(ifla.ifName, text(name)));
}

export function addAddress(index: number, address: string, prefixLength: number): Buffer {
  // struct ifaddrmsg
  const head = Buffer.alloc(8);
  head.writeUInt8(familyInet, 0);
  head.writeUInt8(prefixLength, 1);
  head.writeUInt32LE(index, 4);
  const bytes = addressBytes(address);
  return message(
    messageType.newAddress,
    flagCreate | flagExclusive,
    head,
    attribute(ifa.local, bytes),
    attribute(ifa.address, bytes),
    attribute(ifa.broadcast, broadcastOf(bytes, prefixLength)),
  );
}

function broadcastOf(address: Buffer, prefixLength: number): Buffer {
  const value = address.readUInt32BE() | (prefixLength >= 32 ? 0 : 0xffffffff >>> prefixLength);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** `address`: sixteen bytes. */
export function addAddress6(index: number, address: Buffer, prefixLength: number): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt8(familyInet6, 0);
  head.writeUInt8(prefixLength, 1);
  head.writeUInt8(addressNoDad, 2);
  head.writeUInt32LE(index, 4);
  return message(
    messageType.newAddress,
    flagCreate | flagExclusive,
    head,
    attribute(ifa.local, address),
    attribute(ifa.address, address),
  );
}

/** `gateway`: an address's four or sixteen bytes. */
export function addDefaultRoute(gateway: Buffer): Buffer {
  // struct rtmsg
  const head = Buffer.alloc(12);
  head.writeUInt8(gateway.length === 4 ? familyInet : familyInet6, 0);
  head.writeUInt8(tableMain, 4);
  head.writeUInt8(protocolStatic, 5);
  head.writeUInt8(scopeUniverse, 6);
  head.writeUInt8(routeUnicast, 7);
  return message(messageType.newRoute, flagCreate | flagExclusive, head, attribute(rta.gateway, gateway));
}

/** Puts sequence numbers 1, 2, … on messages and joins them for one send. */
export function batch(messages: readonly Buffer[]): Buffer {
  messages.forEach((each, index) => {
    each.writeUInt32LE(index + 1, 8);
  });
  return Buffer.concat([...messages]);
}

/** The results in a reply: errno (0 is success) by sequence number. */
export function parseResults(reply: Buffer): Map<number, number> {
  const results = new Map<number, number>();
  for (let at = 0; at + headerBytes <= reply.length; ) {
    const length = reply.readUInt32LE(at);
    if (length < headerBytes) break;
    if (reply.readUInt16LE(at + 4) === messageType.error) {
      results.set(reply.readUInt32LE(at + 8), -reply.readInt32LE(at + headerBytes));
    }
    at += padded(length);
  }
  return results;
}
