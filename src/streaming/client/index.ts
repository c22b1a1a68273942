export { openForwardedPort } from "./port-forward.ts";
export { runRemoteCommand } from "./remote-command.ts";
