/**
 * How a value lies in memory and on disk: its revision and its expiry (two float64, little endian), then the JSON.
 *
 * Both in one allocation of its own: what an engine writes is a view of what is kept, not a copy,
 * and an entry does not hold on to a pool that it shares with others.
 */
export const recordHeaderBytes = 16;

/** Copies `bytes` behind a header; returns the copy, without the header. */
export function keepRecord(bytes: Buffer, header: { revision: number; expiresAtMs: number }): Buffer {
  const record = Buffer.allocUnsafeSlow(recordHeaderBytes + bytes.length);
  record.writeDoubleLE(header.revision, 0);
  record.writeDoubleLE(header.expiresAtMs, 8);
  record.set(bytes, recordHeaderBytes);
  return record.subarray(recordHeaderBytes);
}

/** The whole record around what {@link keepRecord} or {@link readRecord} returned. */
export function recordOf(bytes: Buffer): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset - recordHeaderBytes, bytes.length + recordHeaderBytes);
}

export function readRecord(record: Buffer): { revision: number; expiresAtMs: number; bytes: Buffer } {
  return {
    revision: record.readDoubleLE(0),
    expiresAtMs: record.readDoubleLE(8),
    bytes: record.subarray(recordHeaderBytes),
  };
}
