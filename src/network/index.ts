export {
  type BridgeNetwork,
  type BridgeNetworkOptions,
  createBridgeNetwork,
  purgeBridgeNetwork,
} from "./bridge-network.ts";
