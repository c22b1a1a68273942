import type { Clock, Log } from "../../../base/index.ts";
import { type ContainerStatus, type PodSandboxStatus, type Runtime, RuntimeError } from "../../contract.ts";
import type { ContainerEvents } from "./events.ts";

/** What the handlers share. */
export interface CriContext {
  runtime: Runtime;
  clock: Clock;
  log: Log;
  events: ContainerEvents;
}

/** As long as the engine's ids are. */
const idLength = 64;

/** A container by its id, or by the beginning of it that is unique: people give `crictl` what `crictl ps` printed. */
export async function findContainer(
  { runtime }: CriContext,
  id: string,
): Promise<ContainerStatus | undefined> {
  if (id.length >= idLength) return runtime.containerStatus(id);
  return byPrefix(await runtime.listContainers(), id);
}

export async function findSandbox(
  { runtime }: CriContext,
  id: string,
): Promise<PodSandboxStatus | undefined> {
  if (id.length >= idLength) return runtime.podSandboxStatus(id);
  return byPrefix(await runtime.listPodSandboxes(), id);
}

export async function requireContainer(context: CriContext, id: string): Promise<ContainerStatus> {
  const found = await findContainer(context, id);
  if (!found) throw new RuntimeError("NotFound", `container ${JSON.stringify(id)} not found`);
  return found;
}

export async function requireSandbox(context: CriContext, id: string): Promise<PodSandboxStatus> {
  const found = await findSandbox(context, id);
  if (!found) throw new RuntimeError("NotFound", `pod sandbox ${JSON.stringify(id)} not found`);
  return found;
}

function byPrefix<T extends { id: string }>(all: readonly T[], id: string): T | undefined {
  if (id === "") throw new RuntimeError("InvalidArgument", "an id is required");
  const found = all.filter((one) => one.id.startsWith(id));
  if (found.length > 1)
    throw new RuntimeError("InvalidArgument", `${found.length} have an id that begins with ${id}`);
  return found[0];
}

export function hasLabels(
  labels: Readonly<Record<string, string>>,
  selector: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}
