export { ChannelConnection, channelProtocol } from "./channels.ts";
export { handshakeFault, requestedProtocols } from "./connection.ts";
export { Tunnel } from "./tunnel.ts";
