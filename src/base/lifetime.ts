import { setMaxListeners } from "node:events";

/**
 * Ends a component with all that runs in it. Every part listens for as long as it lives, so the number of listeners is
 * the number of parts, and not the leak that Node warns of from the eleventh on.
 */
export function createLifetime(): AbortController {
  const lifetime = new AbortController();
  setMaxListeners(0, lifetime.signal);
  return lifetime;
}
