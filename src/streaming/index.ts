export { openForwardedPort, runRemoteCommand } from "./client/index.ts";
export { refuseUpgrade } from "./handshake.ts";
export { type PortForwardOptions, servePortForward } from "./port-forward.ts";
export { type RemoteCommandOptions, serveRemoteCommand } from "./remote-command.ts";
export { type StreamReaderOptions, serveStreamReader } from "./stream-reader.ts";
