import { createRequire } from "node:module";
import type * as Yaml from "yaml";
import type { Tags } from "yaml";
import { jsonDepthMax, type Parsed, type ParseOptions, parseJsonIfValid } from "./json.ts";
import { badRequest, requestEntityTooLarge } from "./status.ts";

/** Loaded with the first document: nearly every body is JSON, and start-up should not wait for it. */
let library: typeof Yaml | undefined;
const load = createRequire(import.meta.url);
function loaded(): typeof Yaml {
  library ??= load("yaml") as typeof Yaml;
  return library;
}

/** Types of YAML 1.1 that Go's parser does not have: there `12:30` and `2026-01-01` are strings. */
const foreignTags: ReadonlySet<string> = new Set(["intTime", "floatTime", "timestamp"]);
const foreignTagUris: ReadonlySet<string> = new Set(["tag:yaml.org,2002:timestamp"]);
const isForeign = (tag: Tags[number]) =>
  typeof tag === "string"
    ? foreignTags.has(tag)
    : foreignTagUris.has(tag.tag) || ("format" in tag && tag.format === "TIME");

/** A document of fewer bytes is parsed without looking at it first. */
const unscannedBytesMax = 4 * 1024;
/** The parser needs microseconds a token, and the event loop waits: clients that send more than people write use JSON. */
export const yamlTokensMax = 100_000;
/** Each is looked for in all of the document. */
export const yamlAliasesMax = 100;

/**
 * One YAML document, read as Go's parser does (YAML 1.1). Throws a 400 with the parser's reason, a 413 for what would
 * take long to parse. JSON, which is YAML too and what kubectl sends for it, is parsed as JSON and has no such bounds.
 */
export function parseYaml(bytes: Buffer, options: ParseOptions = {}): Parsed {
  const json = startsAsJson(bytes) ? parseJsonIfValid(bytes, options) : undefined;
  if (json) return json;
  if (bytes.length > unscannedBytesMax) requireModest(bytes.toString("utf8"));
  const documents = loaded().parseAllDocuments(bytes.toString("utf8"), {
    version: "1.1",
    uniqueKeys: false,
    prettyErrors: true,
    stringKeys: false,
    customTags: (tags: Tags) => tags.filter((tag) => !isForeign(tag)),
  });
  const filled = "empty" in documents ? [] : documents.filter((document) => document.contents !== null);
  for (const document of filled) {
    const [error] = document.errors;
    if (error?.message.startsWith("Maximum call stack")) throw tooDeep();
    if (error) throw badRequest(`error parsing YAML: ${error.message}`);
  }
  if (filled.length > 1) throw badRequest("the body has more than one YAML document");
  const [document] = filled;
  if (!document) return { value: null, duplicates: [] };
  const duplicates: string[] = [];
  collect(document.contents, "", 0, duplicates);
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    // A document that grows without bound through its aliases.
    throw badRequest(`error parsing YAML: ${(error as Error).message}`);
  }
  return { value, duplicates: options.duplicates === "find" ? duplicates : [] };
}

const tooDeep = () => badRequest(`the object provided is nested deeper than ${jsonDepthMax}`);

function startsAsJson(bytes: Buffer): boolean {
  const first = bytes.find((byte) => byte > 0x20);
  return first === 0x7b || first === 0x5b;
}

/** Reads tokens until there are too many: what is refused here has cost little. */
function requireModest(text: string): void {
  let tokens = 0;
  let aliases = 0;
  let depth = 0;
  for (const token of new (loaded().Lexer)().lex(text)) {
    if (++tokens > yamlTokensMax)
      throw requestEntityTooLarge(`the YAML has more than ${yamlTokensMax} tokens; send it as JSON`);
    if (token[0] === "*" && ++aliases > yamlAliasesMax)
      throw requestEntityTooLarge(`the YAML has more than ${yamlAliasesMax} aliases`);
    if (token === "[" || token === "{") depth++;
    else if (token === "]" || token === "}") depth--;
    if (depth > jsonDepthMax) throw tooDeep();
  }
}

function collect(node: unknown, path: string, depth: number, duplicates: string[]): void {
  if (depth > jsonDepthMax) throw tooDeep();
  const { isMap, isScalar, isSeq } = loaded();
  if (isSeq(node)) {
    node.items.forEach((item, index) => {
      collect(item, `${path}[${index}]`, depth + 1, duplicates);
    });
  } else if (isMap(node)) {
    const seen = new Set<string>();
    for (const pair of node.items) {
      const key = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
      const here = path === "" ? key : `${path}.${key}`;
      if (seen.has(key) && !duplicates.includes(here)) duplicates.push(here);
      seen.add(key);
      collect(pair.value, here, depth + 1, duplicates);
    }
  }
}
