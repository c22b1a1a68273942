import { fieldInvalid } from "../../../../../machinery/index.ts";
import type { FieldErrors } from "../../../../validation/values.ts";

const isAbsolute = (path: string) => path.startsWith("/");

/** No element may be `..`. */
export function validateNoBacksteps(errors: FieldErrors, target: string, path: string): void {
  if (hasBackstep(target)) errors.push(fieldInvalid(path, target, "must not contain '..'"));
}

export const hasBackstep = (target: string) => target.includes("..") && target.split("/").includes("..");

/** A path below some directory. */
export function validateDescendingPath(errors: FieldErrors, target: string, path: string): void {
  if (isAbsolute(target)) errors.push(fieldInvalid(path, target, "must be a relative path"));
  validateNoBacksteps(errors, target, path);
}

/** A path below a volume; names that start with two dots are the volume's own (`..data`). */
export function validateVolumeFilePath(errors: FieldErrors, target = "", path: string): void {
  validateDescendingPath(errors, target, path);
  if (target.startsWith("..") && !target.startsWith("../"))
    errors.push(fieldInvalid(path, target, "must not start with '..'"));
}

const fileModeMax = 0o777;

export function validateFileMode(errors: FieldErrors, mode: number | undefined, path: string): void {
  if (mode !== undefined && (mode < 0 || mode > fileModeMax))
    errors.push(fieldInvalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive"));
}
