import { badRequest } from "./status.ts";

/** Deeper nesting is refused: serialising it would exhaust the stack. No API type comes near. */
export const jsonDepthMax = 1_000;

/** `find`: also report keys that one object has twice; JSON.parse keeps the last and says nothing. */
export interface ParseOptions {
  duplicates?: "find" | "ignore";
}

export interface Parsed {
  value: unknown;
  /** Paths such as `spec.containers[0].image`. */
  duplicates: string[];
}

/** Strict JSON. Throws a 400 with the parser's reason. */
export function parseJson(bytes: Buffer, options: ParseOptions = {}): Parsed {
  const text = bytes.toString("utf8");
  try {
    return checked(bytes, text, JSON.parse(text), options);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw badRequest(`the object provided is not valid JSON: ${error.message}`);
  }
}

/** As {@link parseJson}; undefined for what is no JSON. */
export function parseJsonIfValid(bytes: Buffer, options: ParseOptions = {}): Parsed | undefined {
  const text = bytes.toString("utf8");
  try {
    return checked(bytes, text, JSON.parse(text), options);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

function checked(bytes: Buffer, text: string, value: unknown, options: ParseOptions): Parsed {
  // A text shorter than the limit cannot be nested deeper.
  if (options.duplicates !== "find") {
    if (bytes.length > jsonDepthMax) scan(bytes);
    return { value, duplicates: [] };
  }
  const keys = scan(bytes);
  // Most bodies have no duplicates; counting shows it, without remembering every key.
  return { value, duplicates: keys === countKeys(value) ? [] : findDuplicates(text) };
}

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;

/** Counts the keys of valid JSON, and throws a 400 when it is nested too deeply. */
function scan(bytes: Buffer): number {
  let depth = 0;
  let keys = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === quote) {
      for (i++; bytes[i] !== quote; i++) if (bytes[i] === backslash) i++;
    } else if (byte === colon) keys++;
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > jsonDepthMax)
        throw badRequest(`the object provided is nested deeper than ${jsonDepthMax}`);
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return keys;
}

function countKeys(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) count += countKeys(item);
    return count;
  }
  for (const key in value) count += 1 + countKeys((value as Record<string, unknown>)[key]);
  return count;
}

interface Frame {
  path: string;
  /** Of an object; undefined in a list. */
  keys?: Set<string>;
  index: number;
  /** The key whose value comes next. */
  key?: string;
}

/** Walks the tokens of valid JSON. Only called when there is something to find. */
function findDuplicates(text: string): string[] {
  const found = new Set<string>();
  const frames: Frame[] = [];
  const pathHere = () => {
    const top = frames.at(-1);
    if (!top) return "";
    if (!top.keys) return `${top.path}[${top.index}]`;
    return top.path === "" ? top.key! : `${top.path}.${top.key}`;
  };
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],]/g)) {
    const top = frames.at(-1);
    if (token === "{") frames.push({ path: pathHere(), keys: new Set(), index: 0 });
    else if (token === "[") frames.push({ path: pathHere(), index: 0 });
    else if (token === "}" || token === "]") frames.pop();
    else if (token === ",") {
      if (top!.keys) top!.key = undefined;
      else top!.index++;
    } else if (top?.keys && top.key === undefined) {
      top.key = JSON.parse(token) as string;
      if (top.keys.has(top.key)) found.add(pathHere());
      top.keys.add(top.key);
    }
  }
  return [...found];
}
