import type { FieldError, KubeObject, TypeName } from "../machinery/index.ts";

/**
 * What the API server knows of a resource. Shared code never asks which kind it has: each kind declares its
 * properties here, one file a kind, and a CustomResourceDefinition makes the same form.
 *
 * Counterpart upstream: `pkg/registry/<group>/<kind>/strategy.go`, `pkg/apis/<group>/validation`,
 * `pkg/printers/internalversion`.
 */
export interface Kind<T extends KubeObject = any> {
  group: string;
  version: string;
  kind: string;
  /** Plural, lower case. */
  resource: string;
  singular: string;
  shortNames: readonly string[];
  categories: readonly string[];
  scope: "Namespaced" | "Cluster";
  /** The type of the object, in the schema registry: defaults and structure come from there. */
  schema: TypeName;
  strategy: Strategy<T>;
  /** Of `kubectl get`; the first is the name. */
  columns: readonly Column<T>[];
  /** Fields that `--field-selector` knows besides `metadata.name` and `metadata.namespace`. */
  selectableFields?(object: T): Record<string, string>;
  /** How long an object is kept after its last write (Events). */
  ttlS?(object: T): number | undefined;
  /** Whether `/status` is a subresource: then a write to the main resource keeps the old status, and the reverse. */
  hasStatus: boolean;
  /** Where `/scale` finds its numbers. */
  scale?: ScaleFields<T>;
  /** The objects are those of another kind, in another form: how each becomes the other. */
  storedAs?: StoredAs<T>;
  /** Names of further subresources the server serves for this kind: `log`, `exec`, `eviction`, `token`, … */
  subresources?: readonly string[];
}

export interface Strategy<T> {
  /** Defaults that depend on other fields, after the schema's own. Called on every decode of a write. Mutates. */
  applyDefaults?(object: T): void;
  /** Clears what a client may not set (status), sets what the server decides (generation is done by shared code). Mutates. */
  prepareForCreate?(object: T, nowMs: number): void;
  /** Carries over what an update may not change silently. Mutates `object`; `old` is frozen. */
  prepareForUpdate?(object: T, old: T): void;
  /** What is wrong, all at once, with paths such as `spec.containers[0].name`. Metadata is checked by shared code. */
  validate(object: T): FieldError[];
  /** In addition to `validate(object)`, of what is new. */
  validateCreate?(object: T): FieldError[];
  /** In addition to `validate(object)`. */
  validateUpdate?(object: T, old: T): FieldError[];
  /** Headers `Warning: 299`. */
  warnings?(object: T, old: T | undefined): string[];
  /** As `prepareForUpdate`, for `/status`: what a reporter may leave out and not lose. Mutates `object`. */
  prepareForStatusUpdate?(object: T, old: T, nowMs: number): void;
  /** For `/status`: validation of the new status against the old object. */
  validateStatusUpdate?(object: T, old: T): FieldError[];
  /** Subresources through which a part of the object is written (`ephemeralcontainers`), by name. */
  parts?: Readonly<Record<string, PartStrategy<T>>>;
  /** `metadata.generation` starts at 1 and grows with each change outside metadata and status. */
  tracksGeneration: boolean;
  /** How a name must look; default: a DNS subdomain. Returns messages. */
  validateName?(name: string): string[];
  /** PUT of an object that does not exist makes it. */
  allowCreateOnUpdate?: boolean;
  /** An update without `metadata.resourceVersion` takes the newest; default: yes. As `AllowUnconditionalUpdate`. */
  allowUnconditionalUpdate?: boolean;
  /** The grace period with which a delete marks the object instead of removing it (pods). `requestedS`: from DeleteOptions. */
  gracePeriodS?(object: T, requestedS: number | undefined): number | undefined;
  /** What a graceful deletion also changes. Mutates. */
  prepareForDelete?(object: T): void;
  /** What else than `metadata.finalizers` holds a deletion back: a Namespace's `spec.finalizers`. */
  holdsDeletion?(object: T): boolean;
  /** DELETE answers with the object, also when it is gone, instead of a Status (pods). As `ReturnDeletedObject`. */
  returnsDeletedObject?: boolean;
  /** Finalizers every new object gets (a Namespace's `spec.finalizers` is done in prepareForCreate). */
  defaultPropagation?: "Orphan" | "Background";
}

/** How a write to a part of an object differs from one to the whole. */
export interface PartStrategy<T> {
  /** Puts back all but the part. Mutates `object`; `old` is frozen. Called again after admission. */
  prepareForUpdate(object: T, old: T): void;
  /** In addition to the strategy's `validate(object)`, in place of its `validateUpdate`. */
  validateUpdate(object: T, old: T): FieldError[];
}

export interface Column<T> {
  name: string;
  type: "string" | "integer" | "number" | "boolean" | "date";
  format?: "name";
  description: string;
  /** 0: always; 1: with `-o wide`. */
  priority: 0 | 1;
  /** The value also depends on `nowMs`: it must not be kept with the revision, as the others may. */
  changesWithTime?: boolean;
  /** Where the cell is just the age of a time: that time. Then the cell can be made anew without the object. */
  ageFrom?(object: T): string | null | undefined;
  /** A date is given as the timestamp and shown as an age at `nowMs`. */
  value(object: T, nowMs: number): string | number | boolean | null;
}

/** Both functions leave what they are given as it is; what they give may share parts with it. */
export interface StoredAs<T> {
  kind: Kind;
  toStored(object: T): KubeObject;
  fromStored(object: any): T;
}

export interface ScaleFields<T> {
  specReplicas(object: T): number | undefined;
  statusReplicas(object: T): number | undefined;
  /** Serialised, as `status.selector` of a Scale has it. */
  selector(object: T): string;
  setReplicas(object: T, replicas: number): void;
}
