/** An IPv4 range in CIDR notation, as numbers. */
export interface Subnet {
  base: number;
  prefixLength: number;
}

/** Throws on what is no IPv4 range; host bits are cut off. */
export function parseSubnet(cidr: string): Subnet {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
  const numbers = match?.slice(1).map(Number);
  if (!numbers || numbers.slice(0, 4).some((byte) => byte > 255) || numbers[4]! > 32) {
    throw new Error(`"${cidr}" is no IPv4 range like 10.244.0.0/24`);
  }
  const prefixLength = numbers[4]!;
  const address = addressNumber(numbers.slice(0, 4).join("."));
  return { base: (address & mask(prefixLength)) >>> 0, prefixLength };
}

export function formatSubnet({ base, prefixLength }: Subnet): string {
  return `${formatAddress(base)}/${prefixLength}`;
}

export function addressNumber(address: string): number {
  return address.split(".").reduce((value, byte) => value * 256 + Number(byte), 0);
}

export function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
}

export function sizeOf({ prefixLength }: Subnet): number {
  return 2 ** (32 - prefixLength);
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.base < b.base + sizeOf(b) && b.base < a.base + sizeOf(a);
}

/** The first address: the bridge's, and the pods' gateway. */
export function gatewayOf(subnet: Subnet): string {
  return formatAddress(subnet.base + 1);
}

/** The node's ranges of `prefixLength` within a cluster's, in order. */
export function* subnetsWithin(range: Subnet, prefixLength: number): Generator<Subnet> {
  const step = 2 ** (32 - prefixLength);
  for (let base = range.base; base < range.base + sizeOf(range); base += step) yield { base, prefixLength };
}

function mask(prefixLength: number): number {
  return prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0;
}
