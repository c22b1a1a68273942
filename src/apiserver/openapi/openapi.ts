import { createHash } from "node:crypto";
import type { Kind } from "../../api/index.ts";
import { apiVersionOf, type SchemaRegistry, type TypeName } from "../../machinery/index.ts";
import {
  type Describe,
  type Dialect,
  definitionName,
  type Json,
  objectDefinition,
  pause,
  reachableFrom,
  scalarDefinition,
} from "./definitions.ts";
import { type PathSpec, pathsOf } from "./operations.ts";
import { pathV2 } from "./paths-v2.ts";
import { pathV3 } from "./paths-v3.ts";

/** A finished document. The tag is the hash of its bytes, quoted as the header has it. */
export interface OpenApiDocument {
  bytes: Buffer;
  etag: string;
  mediaType: string;
}

export interface OpenApiSources {
  /** Those served now; asked anew after {@link OpenApi.invalidate}. */
  kinds: () => Iterable<Kind>;
  schemas: SchemaRegistry;
  describe: Describe;
}

const info = { title: "Kubernetes", version: "v1.36.0" };
const v2: Dialect = { version: 2, refPrefix: "#/definitions/" };
const v3: Dialect = { version: 3, refPrefix: "#/components/schemas/" };

/** What answers refer to, whatever the kind. */
const commonTypes: readonly TypeName[] = ["meta/v1.Status", "meta/v1.DeleteOptions", "meta/v1.WatchEvent"];

/**
 * The server's OpenAPI documents.
 *
 * - Nothing is made before it is asked for; a document is made once, in turns that leave the event loop to others.
 * - After {@link invalidate} (the kinds changed) the next request makes it anew.
 */
export class OpenApi {
  readonly #sources: OpenApiSources;
  readonly #documents = new Map<string, Promise<OpenApiDocument>>();

  constructor(sources: OpenApiSources) {
    this.#sources = sources;
  }

  invalidate(): void {
    this.#documents.clear();
  }

  /** `/openapi/v2`. */
  v2(form: "json" | "protobuf"): Promise<OpenApiDocument> {
    return this.#once(`v2 ${form}`, () => (form === "json" ? this.#v2Json() : this.#v2Protobuf()));
  }

  /** `/openapi/v3`: where the documents of each group and version are, with their hashes. */
  v3Index(): Promise<OpenApiDocument> {
    return this.#once("v3", async () => {
      const paths: Record<string, { serverRelativeURL: string }> = {};
      for (const path of this.#groupVersionPaths().keys()) {
        const { etag } = (await this.v3(path))!;
        paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${etag.replaceAll('"', "")}` };
      }
      return finish([JSON.stringify({ paths })], "application/json");
    });
  }

  /** `/openapi/v3/<path>`, of `api/v1` or `apis/apps/v1`; undefined for a group and version that is not served. */
  async v3(path: string): Promise<OpenApiDocument | undefined> {
    const kinds = this.#groupVersionPaths().get(path);
    return kinds && this.#once(`v3 ${path}`, () => this.#v3(kinds));
  }

  #once(key: string, make: () => Promise<OpenApiDocument>): Promise<OpenApiDocument> {
    const known = this.#documents.get(key);
    if (known) return known;
    const made = make();
    this.#documents.set(key, made);
    made.catch(() => this.#documents.delete(key));
    return made;
  }

  #groupVersionPaths(): Map<string, Kind[]> {
    const paths = new Map<string, Kind[]>();
    for (const kind of this.#sources.kinds()) {
      const path = `${kind.group === "" ? "api" : "apis"}/${apiVersionOf(kind)}`;
      paths.set(path, [...(paths.get(path) ?? []), kind]);
    }
    return paths;
  }

  async #v2Json(): Promise<OpenApiDocument> {
    const kinds = [...this.#sources.kinds()];
    const paths = await this.#paths(
      kinds,
      (spec) => `${JSON.stringify(spec.path)}:${JSON.stringify(pathV2(spec))}`,
    );
    const definitions = await this.#definitions(kinds, v2, jsonEntry);
    const head = JSON.stringify({
      swagger: "2.0",
      info,
      securityDefinitions: { BearerToken: { type: "apiKey", name: "authorization", in: "header" } },
      security: [{ BearerToken: [] }],
    });
    return finish(
      [`${head.slice(0, -1)},"paths":{`, ...commas(paths), '},"definitions":{', ...commas(definitions), "}}"],
      "application/json",
    );
  }

  async #v2Protobuf(): Promise<OpenApiDocument> {
    // Few clients ask for it, and its library takes a while to load.
    const { definitionEntry, documentOf, pathEntry } = await import("./gnostic.ts");
    const kinds = [...this.#sources.kinds()];
    const paths = await this.#paths(kinds, (spec) => pathEntry(spec.path, pathV2(spec)));
    const definitions = await this.#definitions(kinds, v2, definitionEntry);
    return finish(
      documentOf(info, paths, definitions),
      "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
    );
  }

  async #v3(kinds: readonly Kind[]): Promise<OpenApiDocument> {
    const paths = await this.#paths(
      kinds,
      (spec) => `${JSON.stringify(spec.path)}:${JSON.stringify(pathV3(spec))}`,
    );
    const schemas = await this.#definitions(kinds, v3, jsonEntry);
    const head = JSON.stringify({ openapi: "3.0.0", info });
    const security = { BearerToken: { type: "apiKey", name: "authorization", in: "header" } };
    return finish(
      [
        `${head.slice(0, -1)},"paths":{`,
        ...commas(paths),
        '},"components":{"schemas":{',
        ...commas(schemas),
        `},"securitySchemes":${JSON.stringify(security)}}}`,
      ],
      "application/json",
    );
  }

  /** Each path of the kinds, in order, as `make` writes it. */
  async #paths<T>(kinds: readonly Kind[], make: (spec: PathSpec) => T): Promise<T[]> {
    const out: T[] = [];
    for (const kind of kinds) {
      for (const spec of pathsOf(kind)) {
        out.push(make(spec));
        await pause();
      }
    }
    return out;
  }

  /** Each definition the kinds' paths reach, as `make` writes it. */
  async #definitions<T>(
    kinds: readonly Kind[],
    dialect: Dialect,
    make: (name: string, definition: Json) => T,
  ): Promise<T[]> {
    const { schemas, describe } = this.#sources;
    const roots = new Set<TypeName>(commonTypes);
    for (const kind of kinds)
      for (const { operations } of pathsOf(kind))
        for (const { body, response } of operations) {
          if (body && body.type !== "patch") roots.add(body.type);
          if (response !== "text") roots.add(response);
        }
    const { types, scalars } = await reachableFrom(roots, schemas);
    const out: T[] = [];
    for (const type of types) {
      out.push(make(definitionName(type), objectDefinition(schemas.type(type), dialect, describe)));
      await pause();
    }
    for (const name of scalars) out.push(make(name, scalarDefinition(name, dialect)));
    return out;
  }
}

const jsonEntry = (name: string, definition: Json) => `${JSON.stringify(name)}:${JSON.stringify(definition)}`;

function* commas(entries: readonly string[]): Iterable<string> {
  for (let i = 0; i < entries.length; i++) yield i === 0 ? entries[i]! : `,${entries[i]}`;
}

function finish(content: Buffer | readonly string[], mediaType: string): OpenApiDocument {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from((content as readonly string[]).join(""));
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 40).toUpperCase();
  return { bytes, etag: `"${hash}"`, mediaType };
}

/** kubectl up to 1.2x asks for Swagger as protobuf; others as JSON. */
export const openApiV2FormFor = (accept: string | undefined): "json" | "protobuf" =>
  /application\/com\.github\.proto-openapi\.spec\.v2[@.]v1\.0\+protobuf/.test(accept ?? "")
    ? "protobuf"
    : "json";
