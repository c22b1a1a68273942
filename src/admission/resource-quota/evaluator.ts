import type { KubeObject } from "../../machinery/index.ts";
import type { AdmissionRequest } from "../contract.ts";
import type { Usage } from "./amounts.ts";
import type { ScopeSelector } from "./scopes.ts";

/** How objects of a resource count in quotas. Counterpart upstream: `quota.Evaluator`. */
export interface Evaluator<T extends KubeObject = any> {
  /** Whether it knows how much of this an object has. */
  counts(name: string): boolean;
  usage(object: T, nowMs: number): Usage;
  isInScope(selector: ScopeSelector, object: T): boolean;
  /** What an object lacks that it has to say where these are limited. */
  lacks(limited: readonly string[], object: T): string | undefined;
  /** Whether a write can change what an object uses. */
  handles(request: Pick<AdmissionRequest, "operation" | "subresource" | "object" | "old">): boolean;
}

/** For what is only counted: `count/secrets`, `count/deployments.apps`, and for some an older name. */
export function objectCount(
  { group, resource }: { group: string; resource: string },
  one: Usage[string],
  alias?: string,
): Evaluator {
  const name = `count/${group === "" ? resource : `${resource}.${group}`}`;
  const usage = { [name]: one, ...(alias && { [alias]: one }) };
  return {
    counts: (each) => each in usage,
    usage: () => usage,
    isInScope: () => false,
    lacks: () => undefined,
    handles: ({ operation, subresource }) => operation === "CREATE" && subresource === undefined,
  };
}
