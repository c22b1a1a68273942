import type { Kind } from "../../api/index.ts";
import type { TypeName } from "../../machinery/index.ts";

/*
 * What may be asked of a kind, and at which path: the part of OpenAPI that its two versions only spell differently.
 */

export type Method = "get" | "put" | "post" | "delete" | "patch";

export interface PathSpec {
  path: string;
  parameters: readonly ParameterSpec[];
  operations: readonly OperationSpec[];
}

export interface OperationSpec {
  method: Method;
  id: string;
  tag: string;
  description: string;
  /** `x-kubernetes-action`. */
  action: string;
  /** What the operation is about: the kind, or a subresource's own. */
  about: { group: string; version: string; kind: string };
  parameters: readonly ParameterSpec[];
  /** A patch has no type of its own. */
  body?: { type: TypeName | "patch"; optional?: true };
  codes: readonly number[];
  /** `text`: a log, a stream. */
  response: TypeName | "text";
  /** Also as a stream of events. */
  watchable?: true;
}

export interface ParameterSpec {
  name: string;
  in: "path" | "query";
  type: "string" | "boolean" | "integer";
  description: string;
}

export const patchTypes = [
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
  "application/apply-patch+yaml",
] as const;

export const mediaTypes = [
  "application/json",
  "application/yaml",
  "application/vnd.kubernetes.protobuf",
] as const;
export const watchMediaTypes = [
  "application/json;stream=watch",
  "application/vnd.kubernetes.protobuf;stream=watch",
] as const;

const query = (name: string, type: ParameterSpec["type"], description: string): ParameterSpec => ({
  name,
  in: "query",
  type,
  description,
});
const inPath = (name: string, description: string): ParameterSpec => ({
  name,
  in: "path",
  type: "string",
  description,
});

const pretty = query("pretty", "string", "If 'true', the answer is indented for a human reader.");
const dryRun = query(
  "dryRun",
  "string",
  "With 'All', every stage of the request runs, but nothing is stored.",
);
const fieldManager = query("fieldManager", "string", "Who makes the change, for metadata.managedFields.");
const fieldValidation = query(
  "fieldValidation",
  "string",
  "What happens to unknown or repeated fields: Ignore, Warn or Strict.",
);
const force = query("force", "boolean", "Apply takes over fields that belong to other managers.");
const selection = [
  query("continue", "string", "Where the next page begins, as the last page said."),
  query("fieldSelector", "string", "Only objects whose fields match."),
  query("labelSelector", "string", "Only objects whose labels match."),
  query("limit", "integer", "How many objects a page has at most."),
  query("resourceVersion", "string", "The revision that is read, or watched from."),
  query("resourceVersionMatch", "string", "How resourceVersion is meant: NotOlderThan or Exact."),
  query("sendInitialEvents", "boolean", "A watch begins with the present objects as events."),
  query("timeoutSeconds", "integer", "How long the request may last."),
];
const watching = [
  query("allowWatchBookmarks", "boolean", "A watch may also get events that only tell how far it has come."),
  query("watch", "boolean", "Stream the changes instead of listing the objects."),
];
const deletion = [
  dryRun,
  query("gracePeriodSeconds", "integer", "How long the object has to end; 0 means at once."),
  query("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
  query("propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground."),
];
const writing = [dryRun, fieldManager, fieldValidation];

/** Subresources that have a type of their own; the others take and give the object itself, or a stream. */
const subresourceTypes: Readonly<
  Record<string, { type: TypeName; group: string; version: string; kind: string }>
> = {
  binding: { type: "core/v1.Binding", group: "", version: "v1", kind: "Binding" },
  eviction: { type: "policy/v1.Eviction", group: "policy", version: "v1", kind: "Eviction" },
  token: {
    type: "authentication/v1.TokenRequest",
    group: "authentication.k8s.io",
    version: "v1",
    kind: "TokenRequest",
  },
};
const scale = { type: "autoscaling/v1.Scale", group: "autoscaling", version: "v1", kind: "Scale" };
/** Subresources that are connections. */
const connects: ReadonlySet<string> = new Set(["exec", "attach", "portforward", "proxy"]);

/** Every path of a kind. */
export function pathsOf(kind: Kind): PathSpec[] {
  const root = kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const isNamespaced = kind.scope === "Namespaced";
  const collection = isNamespaced
    ? `${root}/namespaces/{namespace}/${kind.resource}`
    : `${root}/${kind.resource}`;
  const scope = isNamespaced ? [inPath("namespace", "The namespace the object is in.")] : [];
  const named = [inPath("name", `The name of the ${kind.kind}.`), ...scope, pretty];
  const describe = new Describer(kind);
  const paths: PathSpec[] = [
    { path: collection, parameters: [...scope, pretty], operations: describe.collection() },
    { path: `${collection}/{name}`, parameters: named, operations: describe.item("") },
  ];
  if (isNamespaced)
    paths.splice(1, 0, {
      path: `${root}/${kind.resource}`,
      parameters: [pretty],
      operations: [describe.list("ForAllNamespaces")],
    });
  const sub = (name: string, operations: OperationSpec[]) =>
    paths.push({ path: `${collection}/{name}/${name}`, parameters: named, operations });
  if (kind.hasStatus) sub("status", describe.item("status").filter(isNotDelete));
  if (kind.scale) sub("scale", describe.item("scale").filter(isNotDelete));
  for (const name of kind.subresources ?? []) {
    if (name === "status" || name === "scale") continue;
    const isPart = kind.strategy.parts?.[name] !== undefined;
    sub(name, isPart ? describe.item(name).filter(isNotDelete) : describe.subresource(name));
  }
  return paths;
}

const isNotDelete = ({ method }: OperationSpec) => method !== "delete";
const capital = (text: string) => text.slice(0, 1).toUpperCase() + text.slice(1);

/** `core_v1`, `rbacAuthorization_v1`. */
function tagOf({ group, version }: Kind): string {
  return `${groupWord(group)}_${version}`;
}
function groupWord(group: string): string {
  if (group === "") return "core";
  const [first, ...rest] = group.replace(/\.k8s\.io$/, "").split(".");
  return first + rest.map(capital).join("");
}

/** Writes down the operations of one kind. */
class Describer {
  readonly #kind: Kind;
  readonly #self: OperationSpec["about"];

  constructor(kind: Kind) {
    this.#kind = kind;
    this.#self = { group: kind.group, version: kind.version, kind: kind.kind };
  }

  #id(action: string, suffix: string): string {
    const { group, version, scope, kind } = this.#kind;
    const where = scope === "Namespaced" && suffix !== "ForAllNamespaces" ? "Namespaced" : "";
    return `${action}${capital(groupWord(group))}${capital(version)}${where}${kind}${suffix}`;
  }

  #operation(
    method: Method,
    action: string,
    id: string,
    rest: Pick<OperationSpec, "description" | "parameters" | "codes"> & Partial<OperationSpec>,
  ): OperationSpec {
    return {
      method,
      action,
      id,
      tag: tagOf(this.#kind),
      about: this.#self,
      response: this.#kind.schema,
      ...rest,
    };
  }

  list(suffix: string): OperationSpec {
    return this.#operation("get", "list", this.#id("list", suffix), {
      description: `Lists or watches objects of kind ${this.#kind.kind}.`,
      parameters: [...watching, ...selection],
      codes: [200],
      response: `${this.#kind.schema}List`,
      watchable: true,
    });
  }

  collection(): OperationSpec[] {
    const { kind, schema } = this.#kind;
    return [
      this.list(""),
      this.#operation("post", "post", this.#id("create", ""), {
        description: `Creates an object of kind ${kind}.`,
        parameters: writing,
        body: { type: schema },
        codes: [200, 201, 202],
      }),
      this.#operation("delete", "deletecollection", this.#id("deleteCollection", ""), {
        description: `Deletes the objects of kind ${kind} that are selected.`,
        parameters: [...deletion, ...selection],
        body: { type: "meta/v1.DeleteOptions", optional: true },
        codes: [200],
        response: "meta/v1.Status",
      }),
    ];
  }

  /** Of the object (`""`), its status, its scale or another part of it. */
  item(subresource: string): OperationSpec[] {
    const { kind, schema } = this.#kind;
    const suffix = capital(subresource);
    const of = subresource === "" ? kind : `${subresource} of a ${kind}`;
    const own = subresource === "scale" ? { about: scale, response: scale.type } : {};
    return [
      this.#operation("get", "get", this.#id("read", suffix), {
        description: `Reads the ${of}.`,
        parameters: [],
        codes: [200],
        ...own,
      }),
      this.#operation("put", "put", this.#id("replace", suffix), {
        description: `Replaces the ${of}.`,
        parameters: writing,
        body: { type: subresource === "scale" ? scale.type : schema },
        codes: [200, 201],
        ...own,
      }),
      this.#operation("patch", "patch", this.#id("patch", suffix), {
        description: `Changes parts of the ${of}.`,
        parameters: [...writing, force],
        body: { type: "patch" },
        codes: [200, 201],
        ...own,
      }),
      this.#operation("delete", "delete", this.#id("delete", suffix), {
        description: `Deletes the ${of}.`,
        parameters: deletion,
        body: { type: "meta/v1.DeleteOptions", optional: true },
        codes: [200, 202],
        response: "meta/v1.Status",
      }),
    ];
  }

  subresource(name: string): OperationSpec[] {
    const { kind, schema } = this.#kind;
    const suffix = capital(name);
    const own = subresourceTypes[name];
    if (own) {
      const { type, ...about } = own;
      return [
        this.#operation("post", "post", this.#id("create", suffix), {
          description: `Creates the ${name} of a ${kind}.`,
          parameters: writing,
          body: { type },
          codes: [200, 201, 202],
          about,
          response: type,
        }),
      ];
    }
    if (connects.has(name))
      return (["get", "post"] as const).map((method) =>
        this.#operation(method, "connect", this.#id(`connect${capital(method)}`, suffix), {
          description: `Connects to ${name} of a ${kind}.`,
          parameters: [],
          codes: [200],
          response: "text",
        }),
      );
    if (name === "log")
      return [
        this.#operation("get", "get", this.#id("read", suffix), {
          description: `Reads the log of a ${kind}.`,
          parameters: logParameters,
          codes: [200],
          response: "text",
        }),
      ];
    return [
      this.#operation("put", "put", this.#id("replace", suffix), {
        description: `Replaces the ${name} of a ${kind}.`,
        parameters: writing,
        body: { type: schema },
        codes: [200, 201],
      }),
    ];
  }
}

const logParameters = [
  query("container", "string", "Which container; needed when there is more than one."),
  query("follow", "boolean", "Go on as the log grows."),
  query("limitBytes", "integer", "Stop after this many bytes."),
  query("previous", "boolean", "The log of the container's last run before this one."),
  query("sinceSeconds", "integer", "Only lines this young."),
  query("sinceTime", "string", "Only lines from this time on."),
  query("tailLines", "integer", "Only this many lines from the end."),
  query("timestamps", "boolean", "Each line begins with its time."),
];
