import type { storagev1 } from "../../types/index.ts";

type StorageClass = storagev1.StorageClass;

/** The annotations that make a class the default, the newer first. */
export const defaultClassAnnotations = [
  "storageclass.kubernetes.io/is-default-class",
  "storageclass.beta.kubernetes.io/is-default-class",
] as const;

export const isDefaultClass = ({ metadata }: StorageClass): boolean =>
  defaultClassAnnotations.some((key) => metadata.annotations?.[key] === "true");

/** Of several defaults the newest counts, and among those of one second the first by name. */
export function defaultClassOf(classes: readonly StorageClass[]): StorageClass | undefined {
  const madeAt = ({ metadata }: StorageClass) => metadata.creationTimestamp ?? "";
  return classes
    .filter(isDefaultClass)
    .sort(
      (a, b) =>
        madeAt(b).localeCompare(madeAt(a)) || (a.metadata.name ?? "").localeCompare(b.metadata.name ?? ""),
    )[0];
}
