import type { corev1 } from "../../api/index.ts";

/** Whether a mount is to be read-only with all that is mounted below it. As `resolveRecursiveReadOnly` upstream. */
export function isRecursivelyReadOnly(
  { name, readOnly, recursiveReadOnly, mountPropagation }: corev1.VolumeMount,
  engine: "can" | "cannot",
): boolean {
  if (!asksForRecursion({ recursiveReadOnly })) return false;
  const asked = `failed to resolve recursive read-only mode: volume "${name}" requested recursive read-only mode, but it is not`;
  if (!readOnly) throw new Error(`${asked} read-only`);
  if (mountPropagation && mountPropagation !== "None")
    throw new Error(`${asked} compatible with propagation "${mountPropagation}"`);
  if (recursiveReadOnly === "Enabled" && engine === "cannot")
    throw new Error(`${asked} supported by the runtime`);
  return engine === "can";
}

export const asksForRecursion = ({ recursiveReadOnly }: Pick<corev1.VolumeMount, "recursiveReadOnly">) =>
  recursiveReadOnly !== undefined && recursiveReadOnly !== "Disabled";
