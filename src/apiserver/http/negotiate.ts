import type { Clock } from "../../base/index.ts";
import { badRequest, hasProtobuf, notAcceptable, type SchemaRegistry } from "../../machinery/index.ts";
import { parameter, type Query } from "../context.ts";
import type { Form } from "../forms/form.ts";
import { jsonForm } from "../forms/json.ts";
import { partialMetadataForm } from "../forms/partial-metadata.ts";
import { protobufForm } from "../forms/protobuf.ts";
import { tableForm } from "../forms/table.ts";
import type { IncludeObject } from "../forms/table-row.ts";
import { yamlForm } from "../forms/yaml.ts";
import type { KindStorage } from "../registry/kind-storage.ts";

/** One clause of an `Accept` header. */
export interface Accepted {
  mediaType: string;
  /** `as`, `v`, `g`, `pretty`… */
  parameters: ReadonlyMap<string, string>;
}

/** What there is of every kind, in the order shown to a client that wants something else. */
const offered = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];

/** Different `Accept` headers remembered; clients have few, and whoever sends many is only slower. */
const acceptsMax = 256;
const parsedAccepts = new Map<string, readonly Accepted[]>();

/** The clauses of an `Accept` header, the best first. */
export function parseAccept(header: string): readonly Accepted[] {
  let parsed = parsedAccepts.get(header);
  if (!parsed) {
    parsed = readAccept(header);
    if (parsedAccepts.size >= acceptsMax) parsedAccepts.clear();
    parsedAccepts.set(header, parsed);
  }
  return parsed;
}

function readAccept(header: string): readonly Accepted[] {
  const clauses = header.split(",").map((clause) => {
    const [mediaType = "", ...rest] = clause.split(";").map((part) => part.trim());
    const parameters = new Map(
      rest.map((part): [string, string] => {
        const equals = part.indexOf("=");
        return equals < 0 ? [part, ""] : [part.slice(0, equals), part.slice(equals + 1)];
      }),
    );
    const quality = Number(parameters.get("q") ?? 1);
    return { mediaType: mediaType.toLowerCase(), parameters, quality: Number.isNaN(quality) ? 0 : quality };
  });
  return clauses.filter(({ quality }) => quality > 0).sort((a, b) => b.quality - a.quality);
}

/** For what is only ever shown as JSON: it has no columns and no metadata of its own. Throws a 406. */
export function requireJson(accept: string | undefined): void {
  const isJson = ({ mediaType, parameters }: Accepted) =>
    ["application/json", "application/*", "*/*"].includes(mediaType) && !parameters.has("as");
  if (!parseAccept(accept || "*/*").some(isJson)) throw notAcceptable(["application/json"]);
}

/** The same for what is also shown as a table; a client says which it likes best. */
export function jsonOrTable(accept: string | undefined): "json" | "table" | "neither" {
  for (const { mediaType, parameters } of parseAccept(accept || "*/*")) {
    if (!["application/json", "application/*", "*/*"].includes(mediaType)) continue;
    const as = parameters.get("as");
    if (as === undefined) return "json";
    if (as === "Table" && parameters.get("g") === "meta.k8s.io" && parameters.get("v") === "v1")
      return "table";
  }
  return "neither";
}

/** Chooses how a kind's objects look in an answer. */
export class Negotiation {
  readonly #schemas: SchemaRegistry;
  readonly #clock: Clock;
  readonly #forms = new WeakMap<KindStorage, Map<string, Form>>();

  constructor(schemas: SchemaRegistry, clock: Clock) {
    this.#schemas = schemas;
    this.#clock = clock;
  }

  /** Throws a 406 when nothing of what the client accepts is offered. */
  formFor(storage: KindStorage, accept: string | undefined, query: Query | undefined): Form {
    const include = query ? parameter(query, "includeObject") : undefined;
    const key = include ? `${accept}\n${include}` : (accept ?? "");
    let forms = this.#forms.get(storage);
    if (!forms) {
      forms = new Map();
      this.#forms.set(storage, forms);
    }
    let form = forms.get(key);
    if (!form) {
      form = this.#choose(storage, accept || "*/*", include);
      if (forms.size >= acceptsMax) forms.clear();
      forms.set(key, form);
    }
    return form;
  }

  #choose(storage: KindStorage, accept: string, include: string | undefined): Form {
    for (const accepted of parseAccept(accept)) {
      const form = this.#formOf(storage, accepted, include);
      if (form) return form;
    }
    throw notAcceptable(offered);
  }

  #formOf(
    { kind }: KindStorage,
    { mediaType, parameters }: Accepted,
    include: string | undefined,
  ): Form | undefined {
    const as = parameters.get("as");
    const isJson = mediaType === "application/json" || mediaType === "application/*" || mediaType === "*/*";
    if (as) {
      const version = parameters.get("v");
      if (!isJson || parameters.get("g") !== "meta.k8s.io" || (version !== "v1" && version !== "v1beta1"))
        return undefined;
      if (as === "Table")
        return tableForm(kind, { include: includeOf(include), version }, () => this.#clock.now());
      if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList")
        return partialMetadataForm(kind, version);
      return undefined;
    }
    if (isJson) return jsonForm(kind);
    if (mediaType === "application/yaml") return yamlForm(kind);
    if (
      mediaType === "application/vnd.kubernetes.protobuf" &&
      hasProtobuf(this.#schemas.type(kind.schema), this.#schemas)
    ) {
      return protobufForm(kind, this.#schemas, this.#clock);
    }
    return undefined;
  }
}

function includeOf(include: string | undefined): IncludeObject {
  if (!include) return "Metadata";
  if (include === "None" || include === "Metadata" || include === "Object") return include;
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(include)}: must be 'Metadata', 'Object', 'None', or empty`,
  );
}
