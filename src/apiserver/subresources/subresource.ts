import type { Kind } from "../../api/index.ts";
import type { Verb } from "../../client/index.ts";
import type { Call, Caller, Outcome, Serving } from "../context.ts";

/** A part or an action of an object, under its path. */
export interface Subresource {
  name: string;
  servedFor(kind: Kind): boolean;
  /** The type of its bodies, where it is another than the object's; for discovery. */
  type?: { group: string; version: string; kind: string };
  verbs: Partial<Record<Verb, (serving: Serving, caller: Caller, call: Call) => Promise<Outcome>>>;
}

/** Of kinds that name it among their subresources. */
export const namedBy = (name: string) => (kind: Kind) => kind.subresources?.includes(name) ?? false;
