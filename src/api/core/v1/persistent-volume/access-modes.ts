import { type FieldError, fieldForbidden, fieldNotSupported } from "../../../../machinery/index.ts";

/** As upstream lists them in errors. */
const accessModes: readonly string[] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

/** As `kubectl get` shows them, in its order. */
const shortNames = [
  ["ReadWriteOnce", "RWO"],
  ["ReadOnlyMany", "ROX"],
  ["ReadWriteMany", "RWX"],
  ["ReadWriteOncePod", "RWOP"],
] as const;

export const volumeModes: readonly string[] = ["Block", "Filesystem"];

/** `RWO,ROX`. */
export const shortAccessModes = (modes: readonly string[] = []): string =>
  shortNames
    .filter(([mode]) => modes.includes(mode))
    .map(([, short]) => short)
    .join(",");

/** That they are known ones, and that the one for a single pod stands alone. `path` is that of the list. */
export function validateAccessModes(errors: FieldError[], modes: readonly string[], path: string): void {
  for (const mode of modes)
    if (!accessModes.includes(mode)) errors.push(fieldNotSupported(path, mode, accessModes));
  const hasOthers = modes.some((mode) => mode !== "ReadWriteOncePod" && accessModes.includes(mode));
  if (modes.includes("ReadWriteOncePod") && hasOthers)
    errors.push(fieldForbidden(path, "may not use ReadWriteOncePod with other access modes"));
}
