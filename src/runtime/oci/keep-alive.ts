import { MessageChannel } from "node:worker_threads";

/**
 * Keeps Node's event loop from ending until the returned function is called: the clock's timers do not, and work that
 * waits for a process to die may have nothing else to stay for.
 */
export function keepProcessAlive(): () => void {
  const { port1 } = new MessageChannel();
  port1.ref();
  return () => port1.close();
}
