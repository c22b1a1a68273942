/** SPDY/3.1 on the wire (draft-mbelshe-httpbis-spdy-00, section 2.6), as far as Kubernetes' clients use it. */

export const frameHeaderBytes = 8;
/** Of one control frame; header blocks of clients are a few hundred bytes. */
export const controlBytesMax = 32 * 1024;
export const dataBytesMax = 0xffffff;
export const finFlag = 0x01;

export const controlTypes = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

export const resetStatus = { protocolError: 1, refusedStream: 3, cancel: 5, internalError: 6 } as const;

export type FrameHeader =
  | { kind: "data"; streamId: number; flags: number; lengthBytes: number }
  | { kind: "control"; version: number; type: number; flags: number; lengthBytes: number };

export function decodeFrameHeader(bytes: Buffer): FrameHeader {
  const first = bytes.readUInt32BE(0);
  const flags = bytes[4]!;
  const lengthBytes = bytes.readUIntBE(5, 3);
  if (first < 0x80000000) return { kind: "data", streamId: first, flags, lengthBytes };
  return { kind: "control", version: (first >>> 16) & 0x7fff, type: first & 0xffff, flags, lengthBytes };
}

export function dataHeader(streamId: number, flags: number, lengthBytes: number): Buffer {
  const header = Buffer.allocUnsafe(frameHeaderBytes);
  header.writeUInt32BE(streamId, 0);
  header.writeUInt32BE(flags * 0x1000000 + lengthBytes, 4);
  return header;
}

export function controlFrame(type: number, ...body: (number | Buffer)[]): Buffer {
  const parts = body.map((part) => {
    if (typeof part !== "number") return part;
    const word = Buffer.allocUnsafe(4);
    word.writeUInt32BE(part);
    return word;
  });
  const lengthBytes = parts.reduce((sum, part) => sum + part.length, 0);
  const header = Buffer.allocUnsafe(frameHeaderBytes);
  header.writeUInt16BE(0x8003, 0);
  header.writeUInt16BE(type, 2);
  header.writeUInt32BE(lengthBytes, 4);
  return Buffer.concat([header, ...parts]);
}
