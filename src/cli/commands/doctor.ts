import type { CommandContext } from "../context.ts";
import { UserError } from "../errors.ts";
import { hostChecks } from "../host/checks.ts";
import { styled, table } from "../output.ts";

/** What this host has and lacks, each with its remedy; fails when something a pod needs is missing. */
export function doctor(context: CommandContext): void {
  const checks = hostChecks(context.env.PATH ?? "");
  const marks = { ok: "ok", warning: "warning", missing: "MISSING" };
  const colours = { ok: "green", warning: "yellow", missing: "red" } as const;
  const rows = checks.map((check) => [
    marks[check.state].padEnd(7),
    check.name,
    check.remedy ? `${check.detail} → ${check.remedy}` : check.detail,
  ]);
  const lines = table(rows).split("\n");
  lines.forEach((line, i) => {
    const check = checks[i]!;
    context.print(styled(context.terminal, colours[check.state], line.slice(0, 7)) + line.slice(7));
  });
  const missing = checks.filter((check) => check.state === "missing").length;
  if (missing > 0) throw new UserError(`${missing} of ${checks.length} checks failed`);
  context.print("\nThis host can run pods.");
}
