import type { LabelSelector } from "./meta.ts";
import { isLabelValue, isQualifiedName } from "./names.ts";
import { badRequest } from "./status.ts";

type Operator = "=" | "==" | "!=" | "in" | "notin" | "exists" | "!" | ">" | "<";

export interface LabelRequirement {
  readonly key: string;
  readonly operator: Operator;
  /** Sorted, without repetition. */
  readonly values: readonly string[];
}

/** Which objects are meant, by their labels. Immutable. */
export interface Selector {
  /** By key. */
  readonly requirements: readonly LabelRequirement[];
  /** Matches everything. (A selector that is absent in a spec matches nothing, and is not empty.) */
  readonly empty: boolean;
  matches(labels: Readonly<Record<string, string>> | undefined): boolean;
  /** As a query parameter has it; parses to the same selector. */
  toString(): string;
}

/** Longer ones are refused; a URL has no room for more anyway. */
const selectorLengthMax = 65_536;

/**
 * A selector as a query parameter has it: `app=web,tier in (a,b),!legacy`. Throws a 400 that says where it is wrong,
 * in upstream's words.
 */
export function parseLabelSelector(text: string): Selector {
  if (text === "") return everything;
  if (text.length > selectorLengthMax) throw badRequest("the label selector is too long");
  return selectorWith(new Parser(text).parse());
}

/** A selector as a spec has it. None matches nothing; an empty one everything. Throws a 400 for an invalid one. */
export function selectorOf(selector: LabelSelector | undefined): Selector {
  if (selector === undefined) return nothing;
  const requirements: LabelRequirement[] = Object.entries(selector.matchLabels ?? {}).map(([key, value]) =>
    requirement(key, "=", [value]),
  );
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const known = specOperators[operator];
    if (!known) throw badRequest(`${JSON.stringify(operator)} is not a valid label selector operator`);
    requirements.push(requirement(key, known, values));
  }
  return requirements.length === 0 ? everything : selectorWith(requirements);
}

/** Exactly these labels. Never throws: what is no label is one that no object has. As `labels.Set.AsSelector`. */
export function selectorOfLabels(labels: Readonly<Record<string, string>>): Selector {
  const requirements = Object.entries(labels).map(
    ([key, value]): LabelRequirement => ({ key, operator: "=", values: [value] }),
  );
  return requirements.length === 0 ? everything : selectorWith(requirements);
}

const specOperators: Readonly<Record<string, Operator>> = {
  In: "in",
  NotIn: "notin",
  Exists: "exists",
  DoesNotExist: "!",
};

const nothing: Selector = {
  requirements: [],
  empty: false,
  matches: () => false,
  toString: () => "",
};
const everything: Selector = { requirements: [], empty: true, matches: () => true, toString: () => "" };

function selectorWith(unsorted: LabelRequirement[]): Selector {
  const requirements = unsorted.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return {
    requirements,
    empty: requirements.length === 0,
    matches(labels = noLabels) {
      for (const each of requirements) if (!satisfies(labels, each)) return false;
      return true;
    },
    toString: () => requirements.map(textOf).join(","),
  };
}
const noLabels: Readonly<Record<string, string>> = {};

function satisfies(
  labels: Readonly<Record<string, string>>,
  { key, operator, values }: LabelRequirement,
): boolean {
  const has = Object.hasOwn(labels, key);
  switch (operator) {
    case "=":
    case "==":
      return has && labels[key] === values[0];
    case "in":
      return has && values.includes(labels[key]!);
    case "!=":
    case "notin":
      return !has || !values.includes(labels[key]!);
    case "exists":
      return has;
    case "!":
      return !has;
    case ">":
    case "<": {
      if (!has || !integer.test(labels[key]!)) return false;
      const [mine, bound] = [BigInt(labels[key]!), BigInt(values[0]!)];
      return operator === ">" ? mine > bound : mine < bound;
    }
  }
}

function textOf({ key, operator, values }: LabelRequirement): string {
  switch (operator) {
    case "exists":
      return key;
    case "!":
      return `!${key}`;
    case "in":
    case "notin":
      return `${key} ${operator} (${values.join(",")})`;
    default:
      return `${key}${operator}${values[0]}`;
  }
}

const integer = /^-?[0-9]+$/;

/** Throws a 400 when the parts do not make a requirement. */
function requirement(key: string, operator: Operator, listed: readonly string[]): LabelRequirement {
  const errors: string[] = [];
  const invalid = (path: string, value: unknown, why: string) =>
    errors.push(`${path}: Invalid value: ${JSON.stringify(value)}: ${why}`);
  const keyErrors = isQualifiedName(key);
  if (keyErrors.length > 0) invalid("key", key, keyErrors.join("; "));
  if ((operator === "in" || operator === "notin") && listed.length === 0)
    invalid("values", [], "for 'in', 'notin' operators, values set can't be empty");
  if ((operator === "exists" || operator === "!") && listed.length > 0)
    invalid("values", listed, "values set must be empty for exists and does not exist");
  if ((operator === ">" || operator === "<") && !integer.test(listed[0]!))
    invalid("values[0]", listed[0], "for 'Gt', 'Lt' operators, the value must be an integer");
  listed.forEach((value, index) => {
    const why = isLabelValue(value);
    if (why.length > 0) invalid(`values[${index}][${key}]`, value, why.join("; "));
  });
  if (errors.length > 0) throw badRequest(errors.length === 1 ? errors[0]! : `[${errors.join(", ")}]`);
  return { key, operator, values: [...new Set(listed)].sort() };
}

/** A symbol is itself; an identifier has a text; the end is an empty symbol. */
type Token = { symbol: string } | { identifier: string };

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (const [part] of text.matchAll(/==|!=|[=!(),<>]|[^=!(),<>\s]+/g)) {
    tokens.push(/^[=!(),<>]/.test(part) ? { symbol: part } : { identifier: part });
  }
  return [...tokens, { symbol: "" }];
}

const textIn = (token: Token) => ("symbol" in token ? token.symbol : token.identifier);
const fail = (message: string) => badRequest(message);
const unexpected = (token: Token, expected: string) =>
  fail(`found '${textIn(token)}', expected: ${expected}`);

class Parser {
  readonly #tokens: Token[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  get #ahead(): Token {
    return this.#tokens[this.#at]!;
  }
  #next(): Token {
    const token = this.#ahead;
    // The end stays where it is.
    if (this.#at < this.#tokens.length - 1) this.#at++;
    return token;
  }
  #is(symbol: string): boolean {
    const ahead = this.#ahead;
    return "symbol" in ahead && ahead.symbol === symbol;
  }
  #startsRequirement(): boolean {
    return "identifier" in this.#ahead || this.#is("!");
  }

  parse(): LabelRequirement[] {
    const requirements: LabelRequirement[] = [];
    if (this.#is("")) return requirements;
    if (!this.#startsRequirement()) throw unexpected(this.#ahead, "!, identifier, or 'end of string'");
    for (;;) {
      requirements.push(this.#requirement());
      if (this.#is("")) return requirements;
      if (!this.#is(",")) throw unexpected(this.#ahead, "',' or 'end of string'");
      this.#next();
      if (!this.#startsRequirement()) throw unexpected(this.#ahead, "identifier after ','");
    }
  }

  #requirement(): LabelRequirement {
    try {
      const negated = this.#is("!");
      if (negated) this.#next();
      const key = this.#next();
      if (!("identifier" in key)) throw unexpected(key, "identifier");
      const why = isQualifiedName(key.identifier);
      // A path of nothing is printed so upstream.
      if (why.length > 0)
        throw fail(`<nil>: Invalid value: ${JSON.stringify(key.identifier)}: ${why.join("; ")}`);
      if (negated) return requirement(key.identifier, "!", []);
      if (this.#is("") || this.#is(",")) return requirement(key.identifier, "exists", []);
      const operator = this.#operator();
      const values = operator === "in" || operator === "notin" ? this.#values() : [this.#value()];
      return requirement(key.identifier, operator, values);
    } catch (error) {
      throw fail(`unable to parse requirement: ${(error as Error).message}`);
    }
  }

  #operator(): Operator {
    const token = this.#next();
    const text = textIn(token);
    if (!["=", "==", "!=", "<", ">", "in", "notin"].includes(text))
      throw unexpected(token, "in, notin, =, ==, !=, gt, lt");
    return text as Operator;
  }

  #value(): string {
    if (this.#is("") || this.#is(",")) return "";
    const token = this.#next();
    if (!("identifier" in token)) throw unexpected(token, "identifier");
    return token.identifier;
  }

  /** `(a,b)`; between two commas stands an empty value. */
  #values(): string[] {
    const open = this.#next();
    if (textIn(open) !== "(") throw fail(`found '${textIn(open)}' expected: '('`);
    const values: string[] = [];
    for (;;) {
      const identifier = "identifier" in this.#ahead ? textIn(this.#next()) : "";
      values.push(identifier);
      const token = this.#next();
      if (textIn(token) === ")") return values;
      if (textIn(token) !== ",") throw unexpected(token, "',' or ')'");
    }
  }
}
