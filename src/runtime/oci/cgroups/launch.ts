/**
 * A shell that puts itself into cgroups and becomes the command. A thread that moves itself needs no lock of the whole
 * machine, while moving another process waits for an RCU grace period: 14 ms, in the agent's event loop.
 */
const moveAndRun = [
  "/bin/sh",
  "-ec",
  'while [ "$1" != -- ]; do echo 0 >"$1"; shift; done; shift; exec "$@"',
  "sh",
];
const endOfFiles = "--";

/** What to put before a command so that it is born in the cgroups of these `tasks` or `cgroup.procs` files. */
export const launchedIn = (files: readonly string[]): string[] => [...moveAndRun, ...files, endOfFiles];
