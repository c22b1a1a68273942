import { release } from "node:os";

/** Whether the kernel is of this version or a newer one. */
export function isKernelAtLeast(major: number, minor: number): boolean {
  const [has = 0, hasMinor = 0] = release().split(".").map(Number);
  return has > major || (has === major && hasMinor >= minor);
}
