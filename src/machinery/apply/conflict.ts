import { StatusError } from "../status.ts";
import type { Manager } from "./managers.ts";

/** A field that the applied configuration would change and another manager owns. */
export interface Conflict {
  manager: Manager;
  path: string;
}

/** The 409 that kubectl shows field by field, and answers with the advice to use `--force-conflicts`. */
export function conflictError(conflicts: readonly Conflict[]): StatusError {
  const causes = conflicts.map(({ manager, path }) => ({
    reason: "FieldManagerConflict",
    message: `conflict with ${shown(manager)}`,
    field: path,
  }));
  return new StatusError(409, "Conflict", messageOf(conflicts), { causes });
}

function messageOf(conflicts: readonly Conflict[]): string {
  const [first, ...more] = conflicts;
  if (first && more.length === 0) {
    return `Apply failed with 1 conflict: conflict with ${shown(first.manager)}: ${first.path}`;
  }
  const byManager = new Map<string, string[]>();
  for (const { manager, path } of conflicts) {
    const name = shown(manager);
    byManager.set(name, [...(byManager.get(name) ?? []), path]);
  }
  const lines = [...byManager.keys()]
    .sort()
    .flatMap((name) => [`conflicts with ${name}:`, ...byManager.get(name)!.map((path) => `- ${path}`)]);
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join("\n")}`;
}

function shown({ manager, subresource, operation, apiVersion }: Manager): string {
  const name =
    JSON.stringify(manager) + (subresource ? ` with subresource ${JSON.stringify(subresource)}` : "");
  return operation === "Update" ? `${name} using ${apiVersion}` : name;
}
