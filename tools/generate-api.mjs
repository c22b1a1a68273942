#!/usr/bin/env node
/*
 * Writes the facts of Kubernetes' API into the repository, one file a group and version:
 *
 *   src/api/schema/<group>/<version>.ts   the schema, one line a field (notation: src/machinery/schema-text.ts)
 *   src/api/types/<group>/<version>.ts    the same as TypeScript types
 *
 *   node tools/generate-api.mjs --swagger swagger.json --types kubernetes/staging/src/k8s.io
 *
 * From the swagger: types, fields, required, list and map semantics, patch strategies. From the Go structs: order,
 * protobuf numbers, enums, static defaults, and which zero values Go leaves out when it writes JSON.
 * Only names and structure are taken; descriptions are our own (src/api/descriptions).
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({
  options: { swagger: { type: "string" }, types: { type: "string" } },
});
if (!options.swagger || !options.types) {
  console.error("usage: generate-api.mjs --swagger FILE --types DIR");
  process.exit(2);
}
const root = join(import.meta.dirname, "..");
const definitions = JSON.parse(readFileSync(options.swagger, "utf8")).definitions;

/** Where a definition belongs: `io.k8s.api.core.v1.Pod` is `Pod` of `core/v1`. */
function place(definition) {
  const match = /^io\.k8s\.(?:api|.*\.apis)\.([a-z]+)\.(v[0-9a-z]+)\.(\w+)$/.exec(definition);
  return match && { group: match[1], version: match[2], name: match[3], file: `${match[1]}/${match[2]}` };
}

/** Types that are one value in JSON. */
const scalars = {
  "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
  "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
  "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "microTime",
  "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "intOrString",
  "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "any",
  "io.k8s.apimachinery.pkg.apis.meta.v1.Patch": "any",
  "io.k8s.apimachinery.pkg.runtime.RawExtension": "any",
  "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": "any",
  "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray": "any",
  "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool": "any",
  "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": "any",
};

/** API groups by the first segment of their package, where the two differ and no kind tells. */
const groupNames = { meta: "", core: "" };

// ---- Go structs -------------------------------------------------------------------------------

function goDirectory({ group, version }) {
  if (group === "meta") return join(options.types, "apimachinery/pkg/apis/meta", version);
  if (group === "apiextensions")
    return join(options.types, "apiextensions-apiserver/pkg/apis/apiextensions", version);
  return join(options.types, "api", group, version);
}

/** `{ structs: name → [{ json, goType, numbers, omitEmpty, inline, markers }], enums: type → values, constants }` */
function readGo(directory) {
  const go = { structs: new Map(), enums: new Map(), constants: new Map() };
  if (!existsSync(directory)) return go;
  const files = readdirSync(directory).filter((f) => /^(types.*|micro_time|time)\.go$/.test(f));
  const lines = files.flatMap((file) => readFileSync(join(directory, file), "utf8").split("\n"));
  const enumTypes = new Set();
  let markers = [];
  let struct;
  for (const line of lines) {
    const comment = /^\s*\/\/\s*(\+.*)$/.exec(line);
    if (comment) markers.push(comment[1].trim());
    if (/^\s*\/\//.test(line)) continue;
    const open = /^type (\w+) struct \{/.exec(line);
    if (open) {
      struct = [];
      go.structs.set(open[1], struct);
    } else if (/^\}/.test(line)) struct = undefined;
    else if (struct) readField(line, markers, struct);
    const named = /^type (\w+) string/.exec(line);
    if (named && markers.includes("+enum")) enumTypes.add(named[1]);
    const constant = /^\s*(?:const )?(\w+)(?:\s+(\w+))?\s*=\s*(?:\w+\()?("[^"]*")/.exec(line);
    if (constant && !struct) {
      go.constants.set(constant[1], constant[3]);
      if (constant[2])
        go.enums.set(constant[2], [...(go.enums.get(constant[2]) ?? []), JSON.parse(constant[3])]);
    }
    markers = [];
  }
  for (const type of go.enums.keys()) if (!enumTypes.has(type)) go.enums.delete(type);
  return go;
}

function readField(line, markers, struct) {
  const match = /^\s*(?:(\w+)\s+)?(\S+)\s+`(.*)`/.exec(line);
  if (!match) return;
  const [name, ...flags] = (/json:"([^"]*)"/.exec(match[3])?.[1] ?? "-").split(",");
  const number = /protobuf:"[^"]*?(\d+)/.exec(match[3])?.[1];
  struct.push({
    json: name,
    goType: match[2],
    number,
    inline: flags.includes("inline"),
    omitEmpty: flags.includes("omitempty"),
    omitZero: flags.includes("omitzero"),
    markers,
  });
}

/** Fields of a struct with those of embedded structs in place, each with its path of protobuf numbers. */
function flatten(go, name, via = []) {
  return (go.structs.get(name) ?? []).flatMap((field) => {
    if (!field.inline) return [{ ...field, path: field.number ? [...via, field.number] : [] }];
    const embedded = field.goType.replace(/^\*/, "");
    if (/\b(TypeMeta)$/.test(embedded)) return []; // the envelope's, in protobuf
    return flatten(go, embedded, field.number ? [...via, field.number] : via);
  });
}

// ---- one field's line -------------------------------------------------------------------------

function typeText(schema, here) {
  if (schema.$ref) {
    const definition = schema.$ref.replace("#/definitions/", "");
    if (scalars[definition]) return scalars[definition];
    const target = place(definition);
    return target.file === here ? target.name : `${target.file}.${target.name}`;
  }
  if (schema.type === "array") return `[${typeText(schema.items, here)}]`;
  if (schema.type === "object") {
    if (typeof schema.additionalProperties === "object")
      return `{${typeText(schema.additionalProperties, here)}}`;
    return "any";
  }
  if (schema.type === "integer") return schema.format === "int32" ? "int32" : "int64";
  if (schema.type === "number") return "double";
  if (schema.type === "boolean") return "boolean";
  if (schema.format === "byte") return "bytes";
  return "string";
}

const isStructRef = (type) => /^([a-z]+\/v\w+\.)?[A-Z]/.test(type);
const zeroOf = {
  string: '""',
  boolean: "false",
  int32: "0",
  int64: "0",
  double: "0",
  quantity: '"0"',
  intOrString: "0",
};

/** The value that a field without one has after decoding, as JSON text. */
function defaultText(type, field, go) {
  const marker = field.markers.find((m) => m.startsWith("+default="))?.slice("+default=".length);
  if (marker) {
    const reference = /^ref\((\w+)\)$/.exec(marker);
    return reference ? go.constants.get(reference[1]) : marker;
  }
  if (field.goType.startsWith("*")) return;
  if (isStructRef(type) && !field.omitZero) return "{}";
  if (!field.omitEmpty) return zeroOf[type];
}

/** Types of other packages are those of core, but for meta's, which has no enums. */
function enumOf(goType, go) {
  const foreign = /^(?:v1|corev1|core)\.(\w+)$/.exec(goType);
  return foreign ? coreGo.enums.get(foreign[1]) : go.enums.get(goType);
}

function fieldLine(name, schema, required, field, here, go) {
  const type = typeText(schema, here);
  const words = [`${type}${required ? "!" : ""}`];
  const container = /^[[{]/.test(type);
  if (field) {
    const keepsEmpty = container ? !field.omitEmpty : field.goType.startsWith("*");
    if (keepsEmpty && !isStructRef(type)) words[0] += "?";
    const values = enumOf(field.goType.replace(/^(\*|\[\])+/, ""), go);
    if (values) words.push(`enum(${values.join("|")})`);
  }
  const keys = schema["x-kubernetes-list-map-keys"];
  if (schema["x-kubernetes-list-type"] && schema.type === "array")
    words.push(`list(${[schema["x-kubernetes-list-type"], ...(keys ? [keys.join(",")] : [])].join(" ")})`);
  const strategies = (schema["x-kubernetes-patch-strategy"] ?? "").split(",");
  const mergeKey = schema["x-kubernetes-patch-merge-key"];
  if (strategies.includes("merge")) words.push(mergeKey ? `merge(${mergeKey})` : "merge");
  if (strategies.includes("retainKeys")) words.push("retainKeys");
  if (schema["x-kubernetes-map-type"] === "atomic") words.push("atomic");
  const value = field && defaultText(type, field, go);
  if (value !== undefined) words.push(`=${value}`);
  // Verbs is a message around a list, which only discovery uses; discovery is served as JSON.
  if (field?.path.length && field.goType !== "Verbs" && !/PropsOr/.test(field.goType))
    words.push(`#${field.path.join(".")}`);
  return `${name}: ${words.join(" ")}`;
}

// ---- files ------------------------------------------------------------------------------------

const coreGo = readGo(goDirectory({ group: "core", version: "v1" }));
const files = new Map();
for (const [definition, schema] of Object.entries(definitions)) {
  const where = place(definition);
  if (!where || scalars[definition] || !/^v[0-9]+$/.test(where.version)) continue;
  if (!files.has(where.file)) files.set(where.file, { ...where, types: new Map(), apiGroup: undefined });
  const file = files.get(where.file);
  file.types.set(where.name, schema);
  const kinds = schema["x-kubernetes-group-version-kind"] ?? [];
  if (kinds.length === 1) file.apiGroup = kinds[0].group;
}

const constantName = ({ group, version }) => `${group}${version[0].toUpperCase()}${version.slice(1)}`;
const namespaceName = ({ group, version }) => `${group}${version}`;
const generated = "// Generated by tools/generate-api.mjs; do not edit.\n";

/** Machinery's own types, which the generated ones refer to instead of repeating them. */
const machineryTypes = new Set([
  "ObjectMeta",
  "ListMeta",
  "OwnerReference",
  "ManagedFieldsEntry",
  "LabelSelector",
  "Status",
  "StatusCause",
]);

for (const file of files.values()) {
  file.go = readGo(goDirectory(file));
  file.lines = new Map();
  for (const [name, schema] of [...file.types].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const goFields = new Map(flatten(file.go, name).map((field) => [field.json, field]));
    const properties = schema.properties ?? {};
    const order = [...goFields.keys()].filter((key) => key in properties);
    const meta = ["apiVersion", "kind"].filter((key) => key in properties && !goFields.has(key));
    const rest = Object.keys(properties).filter((key) => !order.includes(key) && !meta.includes(key));
    file.lines.set(
      name,
      [...meta, ...order, ...rest].map((key) =>
        fieldLine(
          key,
          properties[key],
          schema.required?.includes(key),
          goFields.get(key),
          file.file,
          file.go,
        ),
      ),
    );
  }
}

function headOf(schema) {
  const kinds = schema["x-kubernetes-group-version-kind"] ?? [];
  const words = [];
  if (kinds.length === 1) words.push("@kind");
  if (kinds.length > 1) words.push("@kind(*)");
  if (schema["x-kubernetes-map-type"] === "atomic") words.push("@atomic");
  return words;
}

function schemaFile(file) {
  const types = [...file.lines].map(([name, lines]) => {
    const all = [...headOf(file.types.get(name)), ...lines];
    return `    ${name}: \`\n${all.map((line) => `      ${line}\n`).join("")}    \`,\n`;
  });
  return `${generated}import type { SchemaSource } from "../../../machinery/index.ts";

export const ${constantName(file)}: SchemaSource = {
  name: "${file.file}",
  group: "${file.apiGroup ?? groupNames[file.group]}",
  version: "${file.version}",
  types: {
${types.join("")}  },
};
`;
}

const tsScalars = {
  string: "string",
  boolean: "boolean",
  int32: "number",
  int64: "number",
  double: "number",
  bytes: "string",
  quantity: "string",
  intOrString: "number | string",
  time: "string",
  microTime: "string",
  any: "any",
};

function tsType(type, values, here, imports) {
  if (type.startsWith("[")) {
    const inner = tsType(type.slice(1, -1), values, here, imports);
    return inner.includes(" | ") ? `(${inner})[]` : `${inner}[]`;
  }
  if (type.startsWith("{")) return `Record<string, ${tsType(type.slice(1, -1), values, here, imports)}>`;
  if (values) return values.map((value) => JSON.stringify(value)).join(" | ");
  if (tsScalars[type]) return tsScalars[type];
  if (!type.includes(".")) return type;
  const [target, name] = type.split(".");
  if (target === "meta/v1" && machineryTypes.has(name)) {
    imports.machinery.add(name);
    return name;
  }
  imports.files.add(target);
  return `${target.replace("/", "")}.${name}`;
}

function tsField(line, isKind, here, imports) {
  const [, name, type, marks] = /^(\S+): ([^!? ]+)([!?]*)/.exec(line);
  const values = / enum\(([^)]*)\)/.exec(line)?.[1].split("|");
  const text = tsType(type, values, here, imports);
  let required = marks.includes("!");
  // A kind's own fields are there after decoding; a writer may always leave out the status.
  if (isKind && ["apiVersion", "kind", "metadata"].includes(name)) required = true;
  if (name === "spec" && line.includes("={}")) required = true;
  return `  ${/^[\w$]+$/.test(name) ? name : JSON.stringify(name)}${required ? "" : "?"}: ${text};\n`;
}

function typesFile(file) {
  const imports = { machinery: new Set(), files: new Set() };
  const bodies = [...file.lines].map(([name, lines]) => {
    if (file.file === "meta/v1" && machineryTypes.has(name)) return "";
    const isKind = headOf(file.types.get(name)).includes("@kind");
    const fields = lines.map((line) => tsField(line, isKind, file.file, imports)).join("");
    // A type, not an interface: only an alias is assignable to KubeObject, which has an index signature.
    return isKind ? `export type ${name} = {\n${fields}};\n` : `export interface ${name} {\n${fields}}\n`;
  });
  const own = file.file === "meta/v1";
  if (own) for (const name of machineryTypes) imports.machinery.add(name);
  const machinery = [...imports.machinery].sort().join(", ");
  return [
    generated,
    "// biome-ignore-all lint/suspicious/noEmptyInterface: some types have no fields.\n",
    machinery && `import type { ${machinery} } from "../../../machinery/index.ts";\n`,
    ...[...imports.files]
      .sort()
      .map((target) => `import type * as ${target.replace("/", "")} from "../${target}.ts";\n`),
    own ? `\nexport type { ${machinery} };\n` : "",
    "\n",
    bodies.filter(Boolean).join("\n"),
  ].join("");
}

function write(path, text) {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
}

const sorted = [...files.values()].sort((a, b) => (a.file < b.file ? -1 : 1));
for (const file of sorted) {
  write(join(root, "src/api/schema", `${file.file}.ts`), schemaFile(file));
  write(join(root, "src/api/types", `${file.file}.ts`), typesFile(file));
}
write(
  join(root, "src/api/schema/index.ts"),
  `${generated}import type { SchemaSource } from "../../machinery/index.ts";\n${sorted
    .map((file) => `import { ${constantName(file)} } from "./${file.file}.ts";\n`)
    .join(
      "",
    )}\n/** Every group and version there is a schema for. */\nexport const schemaSources: readonly SchemaSource[] = [\n${sorted
    .map((file) => `  ${constantName(file)},\n`)
    .join("")}];\n`,
);
write(
  join(root, "src/api/types/index.ts"),
  generated +
    sorted.map((file) => `export type * as ${namespaceName(file)} from "./${file.file}.ts";\n`).join(""),
);
execFileSync(join(root, "node_modules/.bin/biome"), ["check", "--write", "src/api/schema", "src/api/types"], {
  cwd: root,
  stdio: ["ignore", "ignore", "inherit"],
});
console.log(`${sorted.length} files, ${sorted.reduce((n, file) => n + file.types.size, 0)} types`);
