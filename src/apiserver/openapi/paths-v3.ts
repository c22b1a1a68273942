import { definitionName, groupVersionKind, type Json, patchDefinition } from "./definitions.ts";
import {
  mediaTypes,
  type OperationSpec,
  type ParameterSpec,
  type PathSpec,
  patchTypes,
  watchMediaTypes,
} from "./operations.ts";
import { codeText } from "./paths-v2.ts";

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });

/** A path of OpenAPI 3.0. */
export function pathV3({ parameters, operations }: PathSpec): Json {
  return {
    ...Object.fromEntries(operations.map((operation) => [operation.method, operationV3(operation)])),
    parameters: parameters.map(parameterV3),
  };
}

const parameterV3 = ({ name, in: where, type, description }: ParameterSpec): Json => ({
  name,
  in: where,
  description,
  ...(where === "path" && { required: true }),
  schema: { type, uniqueItems: true },
});

function operationV3(operation: OperationSpec): Json {
  const { body, response } = operation;
  const produces =
    response === "text" ? ["*/*"] : operation.watchable ? [...mediaTypes, ...watchMediaTypes] : mediaTypes;
  const content = contentOf(
    produces,
    response === "text" ? { type: "string" } : ref(definitionName(response)),
  );
  return {
    tags: [operation.tag],
    description: operation.description,
    operationId: operation.id,
    parameters: operation.parameters.map(parameterV3),
    ...(body && { requestBody: bodyV3(body) }),
    responses: {
      ...Object.fromEntries(
        operation.codes.map((code) => [String(code), { description: codeText(code), content }]),
      ),
      "401": { description: "Unauthorized" },
    },
    "x-kubernetes-action": operation.action,
    "x-kubernetes-group-version-kind": groupVersionKind(operation.about),
  };
}

const contentOf = (types: readonly string[], schema: Json) =>
  Object.fromEntries(types.map((type) => [type, { schema }]));

const bodyV3 = ({ type, optional }: NonNullable<OperationSpec["body"]>): Json => ({
  content:
    type === "patch"
      ? contentOf(patchTypes, ref(patchDefinition))
      : contentOf(["*/*"], ref(definitionName(type))),
  ...(!optional && { required: true }),
});
