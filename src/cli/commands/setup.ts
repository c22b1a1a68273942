import type { CommandContext } from "../context.ts";
import {
  clusterPrograms,
  demoPrograms,
  type HostProgram,
  installDebianPackages,
  missingPrograms,
  testPrograms,
} from "../host/packages.ts";

const sets = { cluster: clusterPrograms, demo: demoPrograms, test: testPrograms } as const;

/** Installs what the host lacks; says nothing when it lacks nothing. */
export async function setup(context: CommandContext, purpose: keyof typeof sets): Promise<void> {
  const programs: readonly HostProgram[] = sets[purpose];
  const missing = missingPrograms(programs, context.env.PATH ?? "");
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((m) => m.debianPackage))];
  await context.task(`Installing Debian packages: ${packages.join(", ")}`, () =>
    installDebianPackages(packages),
  );
}
