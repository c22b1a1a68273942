/*
 * Times as Kubernetes writes them: RFC 3339 in UTC, whole seconds (`Time`) or six digits of fraction (`MicroTime`).
 */

/** RFC 3339 has four digits for a year: what lies beyond, a grace period of ages, is its last second. */
const timeMaxMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const timeMinMs = -62_135_596_800_000;
const withinRfc3339 = (ms: number) => Math.min(Math.max(ms, timeMinMs), timeMaxMs);

/** The last second that was written: objects made in the same one have the same text. */
let writtenS = Number.NaN;
let written = "";

/** `2026-01-02T03:04:05Z`. */
export function formatTime(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds !== writtenS) {
    written = `${new Date(withinRfc3339(ms)).toISOString().slice(0, 19)}Z`;
    writtenS = seconds;
  }
  return written;
}

/** `2026-01-02T03:04:05.678000Z`. */
export function formatMicroTime(ms: number): string {
  const micros = Math.floor((ms - Math.floor(ms)) * 1_000);
  return `${new Date(withinRfc3339(ms)).toISOString().slice(0, 23)}${String(micros).padStart(3, "0")}Z`;
}

/** Go's RFC 3339: any number of digits of fraction, an offset or Z. */
const rfc3339 = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:[.,]\d+)?(?:Z|[+-](\d{2}):(\d{2}))$/;

/** Milliseconds since the epoch (with a fraction, where the text has one); undefined for what is not RFC 3339. */
export function parseTime(text: string): number | undefined {
  const match = rfc3339.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second, offsetHour = 0, offsetMinute = 0] = match.map(Number);
  if (month! < 1 || month! > 12 || hour! > 23 || minute! > 59 || second! > 59) return undefined;
  if (offsetHour! > 24 || offsetMinute! > 59) return undefined;
  const wholeMs = Date.UTC(year!, month! - 1, day!, hour, minute, second);
  const date = new Date(wholeMs);
  // Years below 100 would be read as 19xx.
  if (year! < 100) date.setUTCFullYear(year!);
  if (day! < 1 || date.getUTCDate() !== day) return undefined;
  const offset = /([+-])\d{2}:\d{2}$/.exec(text);
  const offsetMs = offset
    ? (offset[1] === "-" ? -1 : 1) * ((offsetHour || 0) * 60 + (offsetMinute || 0)) * 60_000
    : 0;
  const fraction = /[.,](\d+)/.exec(text);
  const fractionMs = fraction ? Number(`0.${fraction[1]}`) * 1_000 : 0;
  return date.getTime() - offsetMs + fractionMs;
}

/** A time in the form that is stored: UTC, the fraction cut (Time) or six digits of it (MicroTime). */
export function canonicalTime(text: string, type: "time" | "microTime"): string | undefined {
  if (type === "time" ? canonicalSeconds.test(text) : canonicalMicros.test(text)) {
    return parseTime(text) === undefined ? undefined : text;
  }
  const ms = parseTime(text);
  if (ms === undefined) return undefined;
  if (type === "time") return formatTime(Math.floor(ms));
  // Doubles hold microseconds since the epoch exactly only in part, so the digits are taken from the text.
  const digits = (/[.,](\d+)/.exec(text)?.[1] ?? "").padEnd(6, "0").slice(0, 6);
  return `${formatTime(Math.floor(ms)).slice(0, 19)}.${digits}Z`;
}

const canonicalSeconds = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
const canonicalMicros = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$/;
