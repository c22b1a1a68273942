import { semanticallyEqual } from "./values.ts";

/** A difference of two whole specs may be long; a status message should not be. */
const linesMax = 100;

/**
 * What differs between two values, one line a field: `- ` what it was, `+ ` what it would be. In place of the text that
 * upstream gets from go-cmp.
 */
export function describeDifference(old: unknown, value: unknown): string {
  const lines: string[] = [];
  collect(lines, old, value, "");
  return lines.length > linesMax ? [...lines.slice(0, linesMax), "…"].join("\n") : lines.join("\n");
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

function collect(lines: string[], old: unknown, value: unknown, path: string): void {
  if (semanticallyEqual(old, value)) return;
  if (Array.isArray(old) && Array.isArray(value) && old.length === value.length) {
    old.forEach((item, i) => {
      collect(lines, item, value[i], `${path}[${i}]`);
    });
    return;
  }
  if (isObject(old) && isObject(value) && !Array.isArray(old) && !Array.isArray(value)) {
    for (const key of new Set([...Object.keys(old), ...Object.keys(value)]))
      collect(lines, old[key], value[key], path === "" ? key : `${path}.${key}`);
    return;
  }
  if (old !== undefined) lines.push(`- ${path}: ${JSON.stringify(old)}`);
  if (value !== undefined) lines.push(`+ ${path}: ${JSON.stringify(value)}`);
}
