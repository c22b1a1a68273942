import type { appsv1 } from "../../api/index.ts";
import { maxSurge, replicasOf } from "./counts.ts";

type Deployment = appsv1.Deployment;
type ReplicaSet = appsv1.ReplicaSet;

export const hashLabel = "pod-template-hash";
export const revisionAnnotation = "deployment.kubernetes.io/revision";
export const historyAnnotation = "deployment.kubernetes.io/revision-history";
export const desiredReplicasAnnotation = "deployment.kubernetes.io/desired-replicas";
export const maxReplicasAnnotation = "deployment.kubernetes.io/max-replicas";

/** Of a Deployment's annotations, the ones its ReplicaSets do not get. */
const notCopied = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  revisionAnnotation,
  historyAnnotation,
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
  "deprecated.deployment.rollback.to",
]);

/** As upstream's `maxRevHistoryLengthInChars`. */
const historyCharsMax = 2_000;

export const revisionOf = (object: Deployment | ReplicaSet) =>
  Number(object.metadata.annotations?.[revisionAnnotation] ?? 0);

/** The annotations of the new ReplicaSet: the Deployment's own, its revision and the ones it had before. */
export function newSetAnnotations(
  d: Deployment,
  rs: ReplicaSet | undefined,
  revision: number,
): Record<string, string> {
  const annotations: Record<string, string> = { ...rs?.metadata.annotations };
  for (const [key, value] of Object.entries(d.metadata.annotations ?? {}))
    if (!notCopied.has(key)) annotations[key] = value;
  const before = rs ? revisionOf(rs) : 0;
  if (before < revision) {
    if (before > 0) annotations[historyAnnotation] = history(annotations[historyAnnotation], before);
    annotations[revisionAnnotation] = String(revision);
  }
  // An existing one gets its sizes when it is scaled.
  return rs ? annotations : { ...annotations, ...sizeAnnotations(d) };
}

function history(before: string | undefined, revision: number): string {
  const parts = [...(before ? before.split(",") : []), String(revision)];
  while (parts.join(",").length > historyCharsMax) parts.shift();
  return parts.join(",");
}

/** What a ReplicaSet remembers of the Deployment's size at the time it was scaled. */
export function sizeAnnotations(d: Deployment): Record<string, string> {
  return {
    [desiredReplicasAnnotation]: String(replicasOf(d)),
    [maxReplicasAnnotation]: String(replicasOf(d) + maxSurge(d)),
  };
}

/** The same pods would come out of both, the hash label aside. */
export function sameTemplate(a: ReplicaSet["spec"], b: ReplicaSet["spec"]): boolean {
  return canonical(withoutHash(a?.template)) === canonical(withoutHash(b?.template));
}

function withoutHash(template: any): unknown {
  const { [hashLabel]: _, ...labels } = template?.metadata?.labels ?? {};
  return { ...template, metadata: { ...template?.metadata, labels, creationTimestamp: undefined } };
}

/**
 * A short name for a template, stable across restarts; `collisions` makes another one when two templates share it.
 * Upstream hashes Go's print of the struct, so the letters differ from its own; nothing may depend on them.
 */
export function templateHash(template: unknown, collisions: number | undefined): string {
  let hash = 0x811c9dc5;
  const text = canonical(template) + (collisions ?? "");
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  const alphabet = "bcdfghjklmnpqrstvwxz2456789";
  return [...String(hash)].map((digit) => alphabet[digit.charCodeAt(0) % alphabet.length]).join("");
}

/** JSON with sorted keys, and without what is empty: an absent field and an empty one are the same template. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value)
    .filter(([, v]) => v !== undefined && v !== null)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`)
    .filter((text) => !text.endsWith(":{}") && !text.endsWith(":[]"));
  return `{${entries.join()}}`;
}
