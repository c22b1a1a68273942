import { badRequest } from "./status.ts";

export interface FieldRequirement {
  readonly field: string;
  readonly operator: "=" | "!=";
  readonly value: string;
}

/** Which objects are meant, by a few of their fields. Immutable. */
export interface FieldSelector {
  readonly requirements: readonly FieldRequirement[];
  readonly empty: boolean;
  /** A field that is absent is `""`. */
  matches(fields: Readonly<Record<string, string>>): boolean;
  toString(): string;
}

/**
 * `metadata.name=a,status.phase!=Running`; a backslash before a comma, an equals sign or a backslash of a value.
 * Throws a 400 in upstream's words. Which fields there are is for the caller to check.
 */
export function parseFieldSelector(text: string): FieldSelector {
  const requirements = splitTerms(text)
    .filter((term) => term !== "")
    .sort()
    .map((term) => parseTerm(term, text));
  return {
    requirements,
    empty: requirements.length === 0,
    matches: (fields) =>
      requirements.every(
        ({ field, operator, value }) => ((fields[field] ?? "") === value) === (operator === "="),
      ),
    toString: () =>
      requirements.map(({ field, operator, value }) => `${field}${operator}${escapeValue(value)}`).join(","),
  };
}

/** At commas that no backslash precedes. */
const splitTerms = (text: string) => text.match(/(?:\\.|[^,\\]|\\$)+/gs) ?? [];

function parseTerm(term: string, whole: string): FieldRequirement {
  const match = /^(.*?)(!=|==|=)(.*)$/s.exec(term);
  if (!match) throw badRequest(`invalid selector: '${whole}'; can't understand '${term}'`);
  return { field: match[1]!, operator: match[2] === "!=" ? "!=" : "=", value: unescapeValue(match[3]!) };
}

const escapeValue = (value: string) => value.replace(/[\\,=]/g, "\\$&");

function unescapeValue(value: string): string {
  return value.replace(/\\(.?)|[,=]/gs, (all, escaped: string | undefined) => {
    if (escaped === undefined)
      throw badRequest(`invalid field selector: unescaped character in value: ${all.charCodeAt(0)}`);
    if (!["\\", ",", "="].includes(escaped))
      throw badRequest(`invalid field selector: invalid escape sequence: ${all}`);
    return escaped;
  });
}
