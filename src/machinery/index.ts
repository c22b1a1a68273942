export { type Apply, applyPatch } from "./apply/apply-patch.ts";
export { sameJson } from "./apply/compare.ts";
export { type TrackedUpdate, trackUpdate } from "./apply/track-update.ts";
export { applyDefaults } from "./defaults.ts";
export * from "./field-error.ts";
export { type FieldRequirement, type FieldSelector, parseFieldSelector } from "./field-selector.ts";
export { jsonDepthMax, type Parsed, type ParseOptions, parseJson } from "./json.ts";
export {
  type LabelRequirement,
  parseLabelSelector,
  type Selector,
  selectorOf,
  selectorOfLabels,
} from "./label-selector.ts";
export * from "./meta.ts";
export * from "./names.ts";
export { type Normalised, normalise } from "./normalise.ts";
export * from "./object-meta.ts";
export { type JsonPatchOperation, jsonPatch, jsonPatchOperationsMax } from "./patch/json-patch.ts";
export { mergePatch } from "./patch/merge-patch.ts";
export { strategicMergePatch } from "./patch/strategic-merge-patch.ts";
export { type CompactCodec, createCompactCodec } from "./protobuf/compact-codec.ts";
export type {
  CompactMessage,
  CompactName,
  CompactWire,
  SparseMessage,
} from "./protobuf/compact-types.ts";
export { decodeMessage } from "./protobuf/decode.ts";
export { encodeMessage } from "./protobuf/encode.ts";
export {
  decodeProtobuf,
  encodeProtobuf,
  encodeProtobufList,
  isProtobuf,
  protobufEnvelope,
  protobufItemHead,
  protobufListPieces,
  protobufWatchFrame,
} from "./protobuf/envelope.ts";
export { hasProtobuf } from "./protobuf/plan.ts";
export { canonicalQuantity, parseQuantity, Quantity, QuantityError } from "./quantity.ts";
export { createSchemaRegistry } from "./registry.ts";
export * from "./schema.ts";
export type { SchemaSource } from "./schema-text.ts";
export * from "./status.ts";
export { validateStructure, withoutRepetition } from "./structure.ts";
export { canonicalTime, formatMicroTime, formatTime, parseTime } from "./time.ts";
export { parseYaml } from "./yaml.ts";
