import type { corev1 } from "../../api/index.ts";

type User = Pick<corev1.Container, "env" | "volumeDevices" | "volumeMounts">;

/** The names of the volumes that some container mounts, has as a device, or takes a variable from. */
export function usedVolumes({ spec }: corev1.Pod): ReadonlySet<string> {
  const users: User[] = [
    ...spec!.containers,
    ...(spec!.initContainers ?? []),
    ...((spec!.ephemeralContainers ?? []) as User[]),
  ];
  return new Set(
    users.flatMap(({ env = [], volumeDevices = [], volumeMounts = [] }) => [
      ...volumeMounts.map(({ name }) => name),
      ...volumeDevices.map(({ name }) => name),
      ...env.flatMap(({ valueFrom }) => valueFrom?.fileKeyRef?.volumeName ?? []),
    ]),
  );
}
