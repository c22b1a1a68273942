import { setImmediate } from "node:timers/promises";

/** So many turns of the event loop without files under way: what follows from the last of them has happened. */
const quietTurns = 3;

/**
 * Resolves once the agent waits for no file. Time that is stepped must not overtake work that takes real time, which on
 * a loaded machine is much of it.
 */
export async function filesSettled(): Promise<void> {
  for (let quiet = 0; quiet < quietTurns; quiet++) {
    await setImmediate();
    if (process.getActiveResourcesInfo().some(isOfFile)) quiet = -1;
  }
}

/** A file that is only being closed shows as such alone. */
const isOfFile = (resource: string) => resource.startsWith("FSReq") || resource === "CloseReq";
