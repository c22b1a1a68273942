import { definitionName, groupVersionKind, type Json, patchDefinition } from "./definitions.ts";
import {
  mediaTypes,
  type OperationSpec,
  type ParameterSpec,
  type PathSpec,
  patchTypes,
  watchMediaTypes,
} from "./operations.ts";

const ref = (name: string) => ({ $ref: `#/definitions/${name}` });

/** A path of Swagger 2.0. */
export function pathV2({ parameters, operations }: PathSpec): Json {
  return {
    ...Object.fromEntries(operations.map((operation) => [operation.method, operationV2(operation)])),
    parameters: parameters.map(parameterV2),
  };
}

const parameterV2 = ({ name, in: where, type, description }: ParameterSpec): Json => ({
  description,
  in: where,
  name,
  ...(where === "path" && { required: true }),
  type,
  uniqueItems: true,
});

function operationV2(operation: OperationSpec): Json {
  const { body, response } = operation;
  const schema = response === "text" ? { type: "string" } : ref(definitionName(response));
  return {
    description: operation.description,
    consumes: body?.type === "patch" ? patchTypes : ["*/*"],
    produces:
      response === "text" ? ["*/*"] : operation.watchable ? [...mediaTypes, ...watchMediaTypes] : mediaTypes,
    schemes: ["https"],
    tags: [operation.tag],
    operationId: operation.id,
    parameters: [...(body ? [bodyV2(body)] : []), ...operation.parameters.map(parameterV2)],
    responses: {
      ...Object.fromEntries(
        operation.codes.map((code) => [String(code), { description: codeText(code), schema }]),
      ),
      "401": { description: "Unauthorized" },
    },
    "x-kubernetes-action": operation.action,
    "x-kubernetes-group-version-kind": groupVersionKind(operation.about),
  };
}

export const codeText = (code: number) => (code === 200 ? "OK" : code === 201 ? "Created" : "Accepted");

const bodyV2 = ({ type, optional }: NonNullable<OperationSpec["body"]>): Json => ({
  name: "body",
  in: "body",
  ...(!optional && { required: true }),
  schema: ref(type === "patch" ? patchDefinition : definitionName(type)),
});
