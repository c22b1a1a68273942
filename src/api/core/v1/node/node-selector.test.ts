import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../../index.ts";
import { matchesNodeTerm } from "../../../index.ts";

const node = {
  metadata: { name: "n", labels: { zone: "a", cores: "8", below: "-3", large: "9223372036854775808" } },
} as unknown as corev1.Node;
const matches = (key: string, operator: string, ...values: string[]) =>
  matchesNodeTerm({ matchExpressions: [{ key, operator, values } as corev1.NodeSelectorRequirement] }, node);

test("labels of a node are compared with words and with numbers", () => {
  const table: [boolean, string, string, ...string[]][] = [
    [true, "zone", "In", "a", "b"],
    [false, "zone", "NotIn", "a"],
    [true, "none", "NotIn", "a"],
    [true, "zone", "Exists"],
    [true, "none", "DoesNotExist"],
    [true, "cores", "Gt", "7"],
    [false, "cores", "Gt", "8"],
    [true, "cores", "Lt", "+9"],
    [true, "below", "Lt", "-2"],
  ];
  for (const [expected, ...requirement] of table) {
    const [key, operator, ...values] = requirement;
    assert.equal(matches(key, operator, ...values), expected, requirement.join(" "));
  }
});

test("what is no number of 64 bits is neither more nor less than another", () => {
  for (const operator of ["Gt", "Lt"]) {
    for (const [key, value] of [
      ["cores", "abc"],
      ["cores", ""],
      ["cores", "1.5"],
      ["cores", "9223372036854775808"],
      ["zone", "7"],
      ["large", "7"],
      ["none", "7"],
    ] as const)
      assert.equal(matches(key, operator, value), false, `${key} ${operator} ${value}`);
  }
});
