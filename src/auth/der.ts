/*
 * Just enough of ASN.1's distinguished encoding to write certificates. The X.509 packages take longer to load
 * (some 200 ms) than the whole server to start.
 */

function tagged(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(content.length)]), content]);
}

function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest >>>= 8) bytes.unshift(rest & 0xff);
  return [0x80 | bytes.length, ...bytes];
}

export const sequence = (...parts: readonly Uint8Array[]) => tagged(0x30, ...parts);
export const setOf = (...parts: readonly Uint8Array[]) => tagged(0x31, ...parts);
export const octetString = (content: Uint8Array) => tagged(0x04, content);
export const utf8String = (text: string) => tagged(0x0c, Buffer.from(text, "utf8"));
export const boolean = (value: boolean) => tagged(0x01, Buffer.from([value ? 0xff : 0]));
export const bitString = (content: Uint8Array, unusedBits = 0) =>
  tagged(0x03, Buffer.from([unusedBits]), content);
/** `[n]` around something complete. */
export const explicit = (n: number, content: Uint8Array) => tagged(0xa0 | n, content);
/** `[n]` in place of a primitive's own tag. */
export const implicit = (n: number, content: Uint8Array) => tagged(0x80 | n, content);

/** An unsigned integer, big end first. */
export function integer(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const digits = bytes.subarray(start);
  return digits[0]! >= 0x80 ? tagged(0x02, Buffer.from([0]), digits) : tagged(0x02, digits);
}

/** `2.5.29.17`. */
export function objectId(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split(".").map(Number);
  const bytes = [first! * 40 + second!];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return tagged(0x06, Buffer.from(bytes));
}

/** UTCTime until 2049, then GeneralizedTime, as RFC 5280 asks. */
export function time(ms: number): Buffer {
  const digits = `${new Date(ms).toISOString().replace(/\.\d+/, "").replace(/[-:T]/g, "")}`;
  return new Date(ms).getUTCFullYear() < 2050
    ? tagged(0x17, Buffer.from(digits.slice(2), "ascii"))
    : tagged(0x18, Buffer.from(digits, "ascii"));
}
