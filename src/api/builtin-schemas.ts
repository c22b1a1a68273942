import { createSchemaRegistry, type SchemaRegistry } from "../machinery/index.ts";
import { schemaSources } from "./schema/index.ts";

/** The types of Kubernetes' own API, each parsed when it is first asked for. */
export const builtinSchemas: SchemaRegistry = createSchemaRegistry(schemaSources);
