import type { TypeName } from "../../machinery/index.ts";
import { appsDescriptions } from "./apps.ts";
import { containerDescriptions } from "./container.ts";
import { coordinationDescriptions } from "./coordination.ts";
import { coreDescriptions } from "./core.ts";
import { csiDescriptions } from "./csi.ts";
import { metaDescriptions } from "./meta.ts";
import { nodeDescriptions } from "./node.ts";
import { podDescriptions } from "./pod.ts";
import { policyDescriptions } from "./policy.ts";
import { schedulingDescriptions } from "./scheduling.ts";
import { volumeDescriptions } from "./volumes.ts";

/**
 * Texts by type: the first line is about the type, each further one, `field: text`, about a field. They are what
 * `kubectl explain` shows. In our own words; a line says what a person needs to know before they set the field.
 */
export type Descriptions = Readonly<Record<TypeName, string>>;

const texts: readonly Descriptions[] = [
  metaDescriptions,
  coreDescriptions,
  podDescriptions,
  containerDescriptions,
  volumeDescriptions,
  schedulingDescriptions,
  nodeDescriptions,
  appsDescriptions,
  coordinationDescriptions,
  policyDescriptions,
  csiDescriptions,
];

/** What the same field means in every kind. */
const everyKind: Readonly<Record<string, string>> = {
  apiVersion: "The group and version of the API that the object is written in.",
  kind: "What the object is.",
  metadata: "The object's name, labels and other things that every object has.",
  spec: "What is wanted.",
  status: "What is. Written by the system.",
};

const parsed = new Map<TypeName, ReadonlyMap<string, string>>();

function linesOf(type: TypeName): ReadonlyMap<string, string> {
  const known = parsed.get(type);
  if (known) return known;
  const lines = new Map<string, string>();
  const text = texts.find((each) => Object.hasOwn(each, type))?.[type] ?? "";
  for (const line of text.trim().split("\n")) {
    const match = /^\s*(\w+): (.*)$/.exec(line);
    if (match) lines.set(match[1]!, match[2]!);
    else if (line.trim() !== "") lines.set("", line.trim());
  }
  parsed.set(type, lines);
  return lines;
}

/** What a type, or one of its fields, is; undefined where nobody has written it down. */
export function describeType(type: TypeName, field?: string): string | undefined {
  const lines = linesOf(type);
  if (field !== undefined)
    return lines.get(field) ?? everyKind[field] ?? (field === "items" ? "The objects." : undefined);
  const own = lines.get("");
  if (own !== undefined) return own;
  const list = /\.(\w+)List$/.exec(type);
  return list ? `A list of objects of kind ${list[1]}.` : undefined;
}
