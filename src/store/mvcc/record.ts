import type { Revision } from "../store.ts";

/**
 * How a value lies in memory and on disk: its revision and its expiry (two float64, little endian), then the JSON.
 *
 * Both in one allocation of its own: what an engine writes is a view of what is kept, not a copy,
 * and an entry does not hold on to a pool that it shares with others.
 */
export const recordHeaderBytes = 16;

/** Copies `bytes` behind a header; returns the copy, without the header. */
export function keepRecord(bytes: Buffer, header: { revision: Revision; expiresAtMs: number }): Buffer {
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

export interface RecordFields {
  revision: Revision;
  /** Wall time, or 0 for never. */
  expiresAtMs: number;
  bytes: Buffer;
}

/** The record at `[start, end)` of `buffer`, without copying. */
export function readRecord(buffer: Buffer, start: number, end: number): RecordFields {
  return {
    revision: buffer.readDoubleLE(start),
    expiresAtMs: buffer.readDoubleLE(start + 8),
    bytes: buffer.subarray(start + recordHeaderBytes, end),
  };
}
