import { createRequire } from "node:module";
import type * as Yaml from "yaml";
import type { Tags } from "yaml";
import { jsonDepthMax, type Parsed, type ParseOptions } from "./json.ts";
import { badRequest } from "./status.ts";

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

/** One YAML document, read as Go's parser does (YAML 1.1). Throws a 400 with the parser's reason. */
export function parseYaml(bytes: Buffer, options: ParseOptions = {}): Parsed {
  const documents = loaded().parseAllDocuments(bytes.toString("utf8"), {
    version: "1.1",
    uniqueKeys: false,
    prettyErrors: true,
    stringKeys: false,
    customTags: (tags: Tags) => tags.filter((tag) => !isForeign(tag)),
  });
  const filled = "empty" in documents ? [] : documents.filter((document) => document.contents !== null);
  for (const document of filled) {
    if (document.errors[0]) throw badRequest(`error parsing YAML: ${document.errors[0].message}`);
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

function collect(node: unknown, path: string, depth: number, duplicates: string[]): void {
  if (depth > jsonDepthMax) throw badRequest(`the object provided is nested deeper than ${jsonDepthMax}`);
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
