import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLabelSelector, selectorOf } from "./label-selector.ts";

const labels = { app: "web", tier: "front", weight: "7" };

test("a label selector matches as kubectl's -l means it", () => {
  const cases: [string, boolean][] = [
    ["", true],
    ["app=web", true],
    ["app==web", true],
    ["app!=web", false],
    ["other!=web", true],
    ["app in (web, api)", true],
    ["app notin (web)", false],
    ["other notin (web)", true],
    ["app", true],
    ["!app", false],
    ["!other", true],
    ["weight>5", true],
    ["weight<5", false],
    ["app>5", false],
    ["app=web,tier=front", true],
    ["app=web,tier=back", false],
    ["app=", false],
    ["app in (,web)", true],
    ["in in (in)", false],
  ];
  for (const [text, matches] of cases) assert.equal(parseLabelSelector(text).matches(labels), matches, text);
});

test("a label selector is written back in a form that parses to itself", () => {
  assert.equal(parseLabelSelector("b in (z,a,a), a ,!c").toString(), "a,b in (a,z),!c");
  assert.equal(parseLabelSelector("").empty, true);
});

test("a malformed label selector is a 400 that says where", () => {
  const cases: [string, RegExp][] = [
    ["app=web,", /^found '', expected: identifier after ','$/],
    ["=web", /^found '=', expected: !, identifier, or 'end of string'$/],
    ["app in web", /^unable to parse requirement: found 'web' expected: '\('$/],
    ["app web", /^unable to parse requirement: found 'web', expected: in, notin, =, ==, !=, gt, lt$/],
    ["a b c=d", /^unable to parse requirement: found 'b', expected:/],
    ["app=web=x", /^found '=', expected: ',' or 'end of string'$/],
    ["-app=web", /^unable to parse requirement: <nil>: Invalid value: "-app": name part must consist of/],
    [
      "app=-web",
      /^unable to parse requirement: values\[0\]\[app\]: Invalid value: "-web": a valid label must be/,
    ],
    ["app in (a,b", /expected: ',' or '\)'$/],
  ];
  for (const [text, message] of cases)
    assert.throws(
      () => parseLabelSelector(text),
      (error: any) => error.code === 400 && message.test(error.message) === true,
      text,
    );
});

test("a spec without a selector selects nothing, with an empty one everything", () => {
  assert.equal(selectorOf(undefined).matches(labels), false);
  assert.equal(selectorOf({}).matches(labels), true);
  const both = selectorOf({
    matchLabels: { app: "web" },
    matchExpressions: [
      { key: "tier", operator: "NotIn", values: ["back"] },
      { key: "legacy", operator: "DoesNotExist" },
    ],
  });
  assert.equal(both.matches(labels), true);
  assert.equal(both.toString(), "app=web,!legacy,tier notin (back)");
  assert.throws(
    () => selectorOf({ matchExpressions: [{ key: "a", operator: "Near" as any }] }),
    /"Near" is not a valid/,
  );
});
