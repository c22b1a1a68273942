export const familyIPv4 = 2;
export const familyIPv6 = 10;

/** Of an address, which it is known to be. */
export const isIPv6 = (host: string) => host.includes(":");

/** struct sockaddr_in, or sockaddr_in6. */
export function socketAddress({ host, port }: { host: string; port: number }): Buffer {
  if (!isIPv6(host)) {
    const address = Buffer.alloc(16);
    address.writeUInt16LE(familyIPv4, 0);
    address.writeUInt16BE(port, 2);
    host.split(".").forEach((byte, i) => {
      address[4 + i] = Number(byte);
    });
    return address;
  }
  const address = Buffer.alloc(28);
  address.writeUInt16LE(familyIPv6, 0);
  address.writeUInt16BE(port, 2);
  wordsOf(host).forEach((word, i) => {
    address.writeUInt16BE(word, 8 + 2 * i);
  });
  return address;
}

/** The eight words of an IPv6 address. */
function wordsOf(host: string): number[] {
  const plain = host.replace(/%.*$/, "").replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => {
    const hex = (high: string, low: string) => ((Number(high) << 8) | Number(low)).toString(16);
    return `${hex(a, b)}:${hex(c, d)}`;
  });
  const [head = "", tail] = plain.split("::");
  const words = (text: string) =>
    text
      .split(":")
      .filter(Boolean)
      .map((word) => Number.parseInt(word, 16));
  const before = words(head);
  if (tail === undefined) return before;
  const after = words(tail);
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}
