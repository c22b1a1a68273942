import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../base/index.ts";
import { compareKeys } from "./key-order.ts";
import { OrderedIndex } from "./ordered-index.ts";

interface Item {
  key: string;
  n: number;
}

test("keys sort as their UTF-8 bytes do", () => {
  const parts = ["", "a", "/", "-", "é", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}", "z"];
  const keys = parts.flatMap((a) => parts.map((b) => a + b));
  const byBytes = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual([...keys].sort(compareKeys), byBytes);
});

test("an index behaves as a sorted list, whatever is done to it", () => {
  const random = new SeededRandom(42);
  const pick = (n: number) => Math.floor(random.fraction() * n);
  const keyOf = (n: number) => `/${["pods", "pod", "nodes"][n % 3]}/ns${n % 7}/${n}`;
  const model = new Map<string, Item>();
  const index = new OrderedIndex<Item>();
  const sorted = () => [...model.values()].sort((a, b) => compareKeys(a.key, b.key));
  for (let i = 0; i < 20_000; i++) {
    const key = keyOf(pick(4_000));
    // Now it grows, now it shrinks.
    if (random.fraction() < (i % 10_000 < 5_000 ? 0.8 : 0.3)) {
      const item = { key, n: i };
      model.set(key, item);
      index.set(item);
    } else {
      model.delete(key);
      index.delete(key);
    }
    if (i % 500 !== 0) continue;
    const all = sorted();
    assert.deepEqual([...index.scan("")], all);
    assert.equal(index.size, all.length);
    for (const prefix of ["", "/pod", "/pods/", "/pods/ns3/", "/nodes/ns1/1", "/zzz", "/pods0"]) {
      const expected = all.filter((item) => item.key.startsWith(prefix));
      assert.equal(index.count(prefix), expected.length, prefix);
      const after = keyOf(pick(4_000));
      const rest = expected.filter((item) => compareKeys(item.key, after) > 0);
      assert.deepEqual([...index.scan(prefix, after)], rest);
      assert.equal(index.count(prefix, after), rest.length);
      assert.deepEqual(index.take(prefix, after, 10), rest.slice(0, 10));
    }
  }
});

test("an index made from sorted items is the same as one that grew", () => {
  const items = Array.from({ length: 3_000 }, (_, n) => ({ key: `/p/${String(n).padStart(5, "0")}`, n }));
  const index = OrderedIndex.fromSorted(items);
  assert.deepEqual(index.take("/p/", undefined, Number.POSITIVE_INFINITY), items);
  assert.equal(index.count("/p/00"), 1_000);
  index.set({ key: "/p/00500x", n: -1 });
  assert.equal(index.count("/p/00500"), 2);
});
