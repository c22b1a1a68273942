import { createHash } from "node:crypto";
import type { corev1 } from "../../api/index.ts";

/**
 * Of what a running container must be replaced for when it changes: the image, as kubelet's HashContainer
 * (the rest of a container's spec cannot change, or, as resources, is changed in place).
 */
export function specHash(container: Pick<corev1.Container, "name" | "image">): string {
  return createHash("sha1").update(`${container.name}\0${container.image}`).digest("hex").slice(0, 8);
}
