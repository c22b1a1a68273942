export { ChannelConnection, channelProtocol } from "./channels.ts";
export { handshakeFault, requestedProtocols, WebSocketConnection } from "./connection.ts";
export { Tunnel } from "./tunnel.ts";
