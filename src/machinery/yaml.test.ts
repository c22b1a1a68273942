import assert from "node:assert/strict";
import { test } from "node:test";
import { StatusError } from "./status.ts";
import { parseYaml, yamlAliasesMax, yamlTokensMax } from "./yaml.ts";

const parse = (text: string) => parseYaml(Buffer.from(text), { duplicates: "find" });
const refusal = (text: string) => {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof StatusError) return { code: error.code, message: error.message };
    throw error;
  }
  return undefined;
};

test("JSON sent as YAML is read as JSON, however much it is", () => {
  const data = Object.fromEntries(Array.from({ length: yamlTokensMax }, (_, i) => [`key${i}`, "value"]));
  assert.deepEqual(parse(JSON.stringify({ data })).value, { data });
  assert.deepEqual(parse('{"a": 1, "a": 2}').duplicates, ["a"]);
});

test("a flow mapping that is no JSON is YAML", () => {
  assert.deepEqual(parse("{a: yes, b: [1, two]}").value, { a: true, b: [1, "two"] });
});

test("YAML that would take long to parse is refused early", () => {
  assert.deepEqual(refusal("- a\n".repeat(yamlTokensMax)), {
    code: 413,
    message: `the YAML has more than ${yamlTokensMax} tokens; send it as JSON`,
  });
  const aliases = Array.from({ length: 2_000 }, (_, i) => `k${i}: &a${i} v\nj${i}: *a${i}`).join("\n");
  assert.deepEqual(refusal(aliases), {
    code: 413,
    message: `the YAML has more than ${yamlAliasesMax} aliases`,
  });
});

test("nesting without end is refused, in every way to write it", () => {
  const tooDeep = { code: 400, message: "the object provided is nested deeper than 1000" };
  const lines = Array.from({ length: 3_000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n");
  for (const text of ["[".repeat(50_000), `a: ${"{b: ".repeat(50_000)}`, "- ".repeat(20_000), lines])
    assert.deepEqual(refusal(text), tooDeep, text.slice(0, 20));
});

test("a long text with brackets and stars in it is no deep nesting", () => {
  const text = `data:\n  script: |\n${"    [[[[ {{{{ * *x\n".repeat(20_000)}`;
  assert.equal((parse(text).value as any).data.script.length, 20_000 * 15);
});
