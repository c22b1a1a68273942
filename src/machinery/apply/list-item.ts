import { isObject } from "../patch/own-property.ts";
import type { MapListType } from "./merge-type.ts";

/** The path element of an item in a set. */
export const setElement = (item: unknown): string => `v:${JSON.stringify(item)}`;

/**
 * The path element of an item in a list with keys: `k:{"containerPort":80,"protocol":"TCP"}`. A key that is missing has its
 * default, or is left out; undefined for an item without any key.
 */
export function mapListElement(type: MapListType, item: unknown): string | undefined {
  if (!isObject(item)) return undefined;
  let out = "";
  for (const { name, default: byDefault } of type.keys) {
    const value = item[name] ?? byDefault;
    if (value === undefined) continue;
    out += `${out === "" ? "" : ","}"${name}":${typeof value === "number" ? value : JSON.stringify(value)}`;
  }
  return out === "" ? undefined : `k:{${out}}`;
}
