import assert from "node:assert/strict";
import { apiVersionOf, applyDefaults, type KubeObject, normalise } from "../machinery/index.ts";
import { builtinKinds } from "./builtin-kinds.ts";
import { builtinSchemas } from "./builtin-schemas.ts";
import type { corev1 } from "./index.ts";
import type { Kind } from "./kind.ts";

/*
 * For the tests of this room: objects as they are when their strategy sees them.
 */

export function kindNamed(name: string): Kind {
  return builtinKinds.find((kind) => kind.kind === name)!;
}

/** An object with all its defaults, as decoding leaves it; its name is `x`, its namespace `default`. */
export function decoded<T extends KubeObject>(kindName: string, content: object): T {
  const kind = kindNamed(kindName);
  const { metadata, ...rest } = structuredClone(content) as Partial<KubeObject>;
  const object = {
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    metadata: { name: "x", ...(kind.scope === "Namespaced" && { namespace: "default" }), ...metadata },
    ...rest,
  };
  const schema = builtinSchemas.type(kind.schema);
  const { unknown, errors } = normalise(schema, object, builtinSchemas);
  assert.deepEqual([...unknown, ...errors], [], "the test's own object must be decodable");
  applyDefaults(schema, object, builtinSchemas);
  kind.strategy.applyDefaults?.(object);
  return object as unknown as T;
}

/** What `validate` says of a new object, one line an error. */
export function errorsOf(kindName: string, content: object): string[] {
  return lines(kindNamed(kindName).strategy.validate(decoded(kindName, content)));
}

/** What an update from `before` to `after` is told. */
export function updateErrorsOf(kindName: string, before: object, after: object): string[] {
  const { strategy } = kindNamed(kindName);
  const old = decoded(kindName, before);
  const object = decoded(kindName, after);
  old.metadata.resourceVersion = object.metadata.resourceVersion = "1";
  strategy.prepareForUpdate?.(object, old);
  return lines([...strategy.validate(object), ...(strategy.validateUpdate?.(object, old) ?? [])]);
}

export const lines = (errors: readonly { field: string; message: string }[]) =>
  errors.map(({ field, message }) => `${field}: ${message}`);

/** A container that is fine, but for what is given. */
export const container = (content: object = {}) => ({ name: "main", image: "nginx:1", ...content });

/** A pod of one such container, with this spec. */
export const podWith = (spec: object = {}, metadata: object = {}) => ({
  metadata,
  spec: { containers: [container()], ...spec },
});

/** A pod of one container that has this. */
export const podOf = (content: object, spec: object = {}) =>
  podWith({ containers: [container(content)], ...spec });

/** A pod with its defaults. */
export const decodedPod = (spec: object = {}, metadata: object = {}) =>
  decoded<corev1.Pod & KubeObject>("Pod", podWith(spec, metadata));
