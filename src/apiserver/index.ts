export type { HealthCheck } from "./discovery/health.ts";
export type { ListenOptions, TlsFiles } from "./http/listener.ts";
export { keyPrefix } from "./registry/keys.ts";
export { type ApiServer, type ApiServerOptions, createApiServer } from "./server.ts";
