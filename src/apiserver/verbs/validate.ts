import type { Kind, PartStrategy } from "../../api/index.ts";
import {
  type FieldError,
  isDnsSubdomain,
  type KubeObject,
  type SchemaRegistry,
  validateObjectMeta,
  validateObjectMetaUpdate,
  validateStructure,
  withoutRepetition,
} from "../../machinery/index.ts";

/** All that is wrong with a new object, at once. */
export function validateForCreate(kind: Kind, object: KubeObject, schemas: SchemaRegistry): FieldError[] {
  const { strategy } = kind;
  const own = [...strategy.validate(object), ...(strategy.validateCreate?.(object) ?? [])];
  return [
    ...withoutRepetition(own, validateStructure(schemas.type(kind.schema), object, schemas)),
    ...validateObjectMeta(object.metadata, metadataRules(kind)),
  ];
}

/** All that is wrong with an object that shall take the place of `old`. */
export function validateForUpdate(
  kind: Kind,
  part: "main" | "status" | PartStrategy<KubeObject>,
  object: KubeObject,
  old: KubeObject,
  schemas: SchemaRegistry,
): FieldError[] {
  const { strategy } = kind;
  const own =
    part === "status"
      ? (strategy.validateStatusUpdate?.(object, old) ?? [])
      : part === "main"
        ? [...strategy.validate(object), ...(strategy.validateUpdate?.(object, old) ?? [])]
        : [...strategy.validate(object), ...part.validateUpdate(object, old)];
  return [
    ...validateObjectMetaUpdate(object.metadata, old.metadata),
    ...withoutRepetition(own, validateStructure(schemas.type(kind.schema), object, schemas)),
  ];
}

const metadataRules = (kind: Kind) => ({
  scope: kind.scope,
  validateName: kind.strategy.validateName ?? isDnsSubdomain,
});
