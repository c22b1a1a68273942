export { ChannelConnection, channelProtocol } from "./channels.ts";
export { requestedProtocols } from "./connection.ts";
export { openTunnel } from "./tunnel.ts";
