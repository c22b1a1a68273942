import { type LinuxResources, RuntimeError } from "../contract.ts";
import type { EngineContext } from "./context.ts";
import { contextOf, contextOfContainer } from "./handlers.ts";
import type { ContainerRecord, SandboxRecord } from "./records.ts";

/** Limits a container's cgroup anew; what is not named stays. */
export async function updateContainer(
  engine: EngineContext,
  record: ContainerRecord,
  resources: LinuxResources,
): Promise<void> {
  const { cgroups, records } = contextOfContainer(engine, record);
  telling(record.id, () => cgroups.update(record.cgroup, resources));
  // It may have ended meanwhile.
  const { config, ...rest } = records.containers.get(record.id) ?? record;
  const linux = { ...config.linux, resources: { ...config.linux.resources, ...resources } };
  await records.saveContainer({ ...rest, config: { ...config, linux } });
}

/** The same of a pod's cgroup. */
export async function updateSandbox(
  engine: EngineContext,
  record: SandboxRecord,
  resources: LinuxResources,
): Promise<void> {
  const { cgroupRoot, cgroups, records } = contextOf(engine, record);
  const { linux } = record.config;
  if (resources.cpuQuotaUs !== undefined) freeEnded(engine, record);
  telling(record.id, () => cgroups.update(`${cgroupRoot}/${linux.cgroupParent}`, resources));
  const merged = { ...linux, resources: { ...linux.resources, ...resources } };
  await records.saveSandbox({ ...record, config: { ...record.config, linux: merged } });
}

/** cgroup v1 takes no quota below that of a cgroup beneath, though all of its processes have ended. */
function freeEnded(engine: EngineContext, sandbox: SandboxRecord): void {
  const { cgroups, records } = contextOf(engine, sandbox);
  if (cgroups.version !== "v1") return;
  for (const { sandboxId, exit, cgroup } of records.containers.values()) {
    if (sandboxId !== sandbox.id || !exit) continue;
    try {
      cgroups.update(cgroup, { cpuQuotaUs: -1 });
    } catch {
      // It has gone with its container.
    }
  }
}

function telling(id: string, update: () => void): void {
  try {
    update();
  } catch (error) {
    throw new RuntimeError("Internal", `cannot change the resources of ${id}: ${(error as Error).message}`);
  }
}
