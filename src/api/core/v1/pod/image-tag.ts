import type { corev1 } from "../../../index.ts";

/**
 * Whether an image reference means the tag `latest`: it says so, or it has neither tag nor digest.
 * A tag of a reference with a digest counts too, as in `distribution/reference`.
 */
export function isLatest(reference: string): boolean {
  const at = reference.indexOf("@");
  const named = at < 0 ? reference : reference.slice(0, at);
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  return colon < 0 ? at < 0 : named.slice(colon + 1) === "latest";
}

/** `imagePullPolicy` where none is given. */
export const defaultPullPolicy = (
  image: string | undefined,
): NonNullable<corev1.Container["imagePullPolicy"]> => (isLatest(image ?? "") ? "Always" : "IfNotPresent");
