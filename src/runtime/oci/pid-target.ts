import { type ContainerConfig, RuntimeError } from "../contract.ts";
import type { EngineContext } from "./context.ts";
import { isAlive } from "./processes.ts";

/**
 * The PID namespace that a container is to join: a path, or undefined for one of its own. Asked for again right before
 * the start, as by then the number may be another process's.
 */
export function targetPidNamespace(
  { records }: Pick<EngineContext, "records">,
  { linux }: ContainerConfig,
  sandboxId: string,
): string | undefined {
  const targetId = linux.pidNamespaceOf;
  if (targetId === undefined) return undefined;
  const target = records.containers.get(targetId);
  if (target?.sandboxId !== sandboxId)
    throw new RuntimeError("NotFound", `target container "${targetId}" is not one of the pod's`);
  if (target.exit || target.startedAtMs === undefined || !target.process || !isAlive(target.process))
    throw new RuntimeError("CreateContainerError", `target container "${targetId}" is not running`);
  return `/proc/${target.process.pid}/ns/pid`;
}
