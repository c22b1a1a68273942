import type { Kind } from "../../api/index.ts";
import type { RequestOptions } from "../../client/index.ts";
import {
  badRequest,
  type FieldRequirement,
  parseFieldSelector,
  parseLabelSelector,
} from "../../machinery/index.ts";
import type { Entry } from "../../store/index.ts";

/** What of a resource a request is about. */
export interface Selection {
  /** Only this object: from the path, or `metadata.name=` in a field selector. */
  name?: string;
  /** From `metadata.namespace=` in a field selector. */
  namespace?: string;
  /** Absent: all of it. Does not look at the name. */
  matches?(entry: Entry): boolean;
}

const labelsForm = Symbol("labels");
const fieldsForm = Symbol("fields");
const none: Readonly<Record<string, string>> = Object.freeze({});

/** Throws a 400 for selectors that cannot be read, or that ask for fields the kind does not offer. */
export function selectionOf(kind: Kind, options: RequestOptions, name?: string): Selection {
  const selection: Selection = name === undefined ? {} : { name };
  const tests: ((entry: Entry) => boolean)[] = [];
  if (options.labelSelector) {
    const labels = parseLabelSelector(options.labelSelector);
    if (!labels.empty) tests.push((entry) => labels.matches(labelsOf(entry)));
  }
  if (options.fieldSelector) {
    const { requirements } = parseFieldSelector(options.fieldSelector);
    requireKnownFields(kind, requirements);
    const rest = requirements.filter((requirement) => !takesPlace(kind, selection, requirement));
    if (rest.length > 0) {
      tests.push((entry) => {
        const fields = fieldsOf(kind, entry);
        return rest.every(
          ({ field, operator, value }) => ((fields[field] ?? "") === value) === (operator === "="),
        );
      });
    }
  }
  if (tests.length === 1) selection.matches = tests[0]!;
  else if (tests.length > 1) selection.matches = (entry) => tests.every((test) => test(entry));
  return selection;
}

/** A name tells where to look, and needs no test any more; a namespace does too, but the path may say another. */
function takesPlace(kind: Kind, selection: Selection, { field, operator, value }: FieldRequirement): boolean {
  if (operator !== "=" || value === "") return false;
  if (field === "metadata.namespace" && kind.scope === "Namespaced") selection.namespace ??= value;
  if (field !== "metadata.name" || selection.name !== undefined) return false;
  selection.name = value;
  return true;
}

function requireKnownFields(kind: Kind, requirements: readonly FieldRequirement[]): void {
  for (const { field } of requirements) {
    if (!fieldNames(kind).has(field)) throw badRequest(`field label not supported: ${field}`);
  }
}

/** Has every field there is, for asking a kind which ones it looks at. */
const anything: any = new Proxy(() => anything, {
  get: (_target, key) => (key === Symbol.toPrimitive ? () => "" : anything),
});
const namesOfKinds = new WeakMap<Kind, ReadonlySet<string>>();

function fieldNames(kind: Kind): ReadonlySet<string> {
  let names = namesOfKinds.get(kind);
  if (!names) {
    const own = kind.selectableFields ? Object.keys(kind.selectableFields(anything)) : [];
    names = new Set([
      ...own,
      "metadata.name",
      ...(kind.scope === "Namespaced" ? ["metadata.namespace"] : []),
    ]);
    namesOfKinds.set(kind, names);
  }
  return names;
}

/** Looked at for every object of a list with a selector: kept, as parsing an object costs a hundred times as much. */
function labelsOf(entry: Entry): Readonly<Record<string, string>> {
  return entry.form(labelsForm, ({ object }) => object.metadata.labels ?? none);
}

function fieldsOf(kind: Kind, entry: Entry): Readonly<Record<string, string>> {
  return entry.form(fieldsForm, ({ object }) => ({
    "metadata.name": object.metadata.name,
    ...(kind.scope === "Namespaced" && { "metadata.namespace": object.metadata.namespace }),
    ...kind.selectableFields?.(object),
  }));
}
