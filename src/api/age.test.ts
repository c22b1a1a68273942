import assert from "node:assert/strict";
import { test } from "node:test";
import { ageOf, humanDuration } from "./age.ts";

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

for (const [ms, expected] of [
  [-2 * secondMs, "<invalid>"],
  [-1 * secondMs, "0s"],
  [0, "0s"],
  [secondMs - 1, "0s"],
  [secondMs, "1s"],
  [2 * minuteMs - 1, "119s"],
  [2 * minuteMs, "2m"],
  [2 * minuteMs + secondMs, "2m1s"],
  [10 * minuteMs - 1, "9m59s"],
  [10 * minuteMs, "10m"],
  [3 * hourMs - 1, "179m"],
  [3 * hourMs, "3h"],
  [3 * hourMs + minuteMs, "3h1m"],
  [8 * hourMs - 1, "7h59m"],
  [8 * hourMs, "8h"],
  [2 * dayMs - 1, "47h"],
  [2 * dayMs, "2d"],
  [2 * dayMs + hourMs, "2d1h"],
  [8 * dayMs - 1, "7d23h"],
  [8 * dayMs, "8d"],
  [2 * 365 * dayMs - 1, "729d"],
  [2 * 365 * dayMs, "2y"],
  [2 * 365 * dayMs + dayMs, "2y1d"],
  [8 * 365 * dayMs - 1, "7y364d"],
  [8 * 365 * dayMs, "8y"],
] as const) {
  test(`an age of ${ms} ms shows as ${expected}`, () => assert.equal(humanDuration(ms), expected));
}

test("the age of what has no time is unknown", () => {
  assert.equal(ageOf(undefined, 0), "<unknown>");
  assert.equal(ageOf("2026-01-01T00:00:00Z", Date.UTC(2026, 0, 1, 0, 5)), "5m");
});
