export type { Describe } from "./definitions.ts";
export { OpenApi, type OpenApiDocument, type OpenApiSources, openApiV2FormFor } from "./openapi.ts";
