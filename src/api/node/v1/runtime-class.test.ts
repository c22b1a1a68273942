import assert from "node:assert/strict";
import { test } from "node:test";
import { errorsOf, kindNamed, updateErrorsOf } from "../../kind.suite.ts";

test("a runtime class names a handler, and a well-formed overhead and place", () => {
  assert.deepEqual(errorsOf("RuntimeClass", { handler: "runsc" }), []);
  const table: [object, string[]][] = [
    [{}, ["handler: Required value"]],
    [{ handler: "a.b" }, ['handler: Invalid value: "a.b": must not contain dots']],
    [
      { handler: "h", overhead: { podFixed: { cpu: "-1" } } },
      ['overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0'],
    ],
    [
      { handler: "h", scheduling: { tolerations: [{ key: "a", operator: "Exists", value: "x" }] } },
      [
        `scheduling.tolerations[0].operator: Invalid value: "x": value must be empty when \`operator\` is 'Exists'`,
      ],
    ],
  ];
  for (const [content, errors] of table) assert.deepEqual(errorsOf("RuntimeClass", content), errors);
  const twice = { key: "a", operator: "Exists" };
  const [duplicate] = errorsOf("RuntimeClass", { handler: "h", scheduling: { tolerations: [twice, twice] } });
  assert.match(duplicate!, /^scheduling\.tolerations\[1\]: Duplicate value: /);
});

test("a runtime class's handler stays, and deprecated labels are warned of", () => {
  assert.deepEqual(updateErrorsOf("RuntimeClass", { handler: "a" }, { handler: "b" }), [
    'handler: Invalid value: "b": field is immutable',
  ]);
  const { strategy } = kindNamed("RuntimeClass");
  const object = { handler: "h", scheduling: { nodeSelector: { "beta.kubernetes.io/os": "linux" } } };
  assert.deepEqual(strategy.warnings!(object as never, undefined), [
    'scheduling.nodeSelector: deprecated since v1.14; use "kubernetes.io/os" instead',
  ]);
});
