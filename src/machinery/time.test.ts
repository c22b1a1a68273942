import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalTime, formatMicroTime, formatTime, parseTime } from "./time.ts";

test("times are written in UTC, to the second or the microsecond", () => {
  const ms = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  assert.equal(formatTime(ms), "2026-01-02T03:04:05Z");
  assert.equal(formatMicroTime(ms), "2026-01-02T03:04:05.678000Z");
  assert.equal(parseTime("2026-01-02T04:04:05.678+01:00"), ms);
});

test("a time is stored in its canonical form, without losing a microsecond", () => {
  assert.equal(canonicalTime("2026-01-02T03:04:05.999999Z", "time"), "2026-01-02T03:04:05Z");
  assert.equal(canonicalTime("2026-01-02T01:04:05.123457-02:00", "microTime"), "2026-01-02T03:04:05.123457Z");
  assert.equal(canonicalTime("1969-12-31T23:59:59.5Z", "time"), "1969-12-31T23:59:59Z");
});

test("what is no RFC 3339 time is refused", () => {
  for (const text of [
    "",
    "2026-01-02",
    "2026-02-30T00:00:00Z",
    "2026-01-02T24:00:00Z",
    "2026-01-02 03:04:05Z",
    "now",
  ])
    assert.equal(parseTime(text), undefined, text);
});

test("a time past what RFC 3339 can say is the last one it can", () => {
  assert.equal(formatTime(2 ** 53 * 1_000), "9999-12-31T23:59:59Z");
  assert.equal(formatTime(-(2 ** 53) * 1_000), "0001-01-01T00:00:00Z");
  assert.equal(formatMicroTime(2 ** 53), "9999-12-31T23:59:59.999000Z");
});
